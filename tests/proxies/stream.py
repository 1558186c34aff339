"""For mitmproxy: hands on both directions as they come, for a stream of gRPC never ends."""


def requestheaders(flow):
    flow.request.stream = True


def responseheaders(flow):
    flow.response.stream = True
