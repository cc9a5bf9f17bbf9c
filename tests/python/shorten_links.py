"""A service that shortens links: it says where it listens, and answers with a link, or an error if that is `broken`."""

from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit


class Shortener(BaseHTTPRequestHandler):
    def do_GET(self):
        url = parse_qs(urlsplit(self.path).query)["url"][0]
        self.send_response(500 if "broken" in url else 200)
        self.end_headers()
        self.wfile.write(f"http://short/{url}\n".encode())


server = HTTPServer(("127.0.0.1", 0), Shortener)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
