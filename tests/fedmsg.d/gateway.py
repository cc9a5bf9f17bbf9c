config = {
    'fedmsg.consumers.gateway.port': 9940,
    'fedmsg.consumers.gateway.high_water_mark': 10000,
    'fedmsg.consumers.dummy.enabled': True,
}
