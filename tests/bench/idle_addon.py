"""The do-nothing addon that a recording tap is compared with: same layers, same commands, no hook at work."""

from mitmproxy.proxy import layer, layers

from lab.model import Observer
from lab.stage.tap_side import Tap


class Idle(Tap):
    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        if nextlayer.context.client.proxy_mode.full_spec.startswith("reverse:tcp"):
            nextlayer.layer = layers.TCPLayer(nextlayer.context)


addons = [Idle(Observer.NETWORK)]
