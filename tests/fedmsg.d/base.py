# A configuration as the Python fedmsg has it, for the tests of `fedmsg-config import`.
config = dict(
    topic_prefix="org.example",
    environment="stg",

    high_water_mark=0,
    io_threads=1,

    # status_directory='/var/run/fedmsg/status',
    zmq_enabled=True,
    zmq_strict=False,
    post_init_sleep=0.5,
    zmq_linger=1000,
    zmq_tcp_keepalive=1,
    zmq_tcp_keepalive_cnt=3,
    zmq_tcp_keepalive_idle=60,
    zmq_tcp_keepalive_intvl=5,
    zmq_reconnect_ivl=100,
    zmq_reconnect_ivl_max=1000,
)
