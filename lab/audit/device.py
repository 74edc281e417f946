"""What is printed for whoever lets a device of their own be looked at: what is opened, tunnel, authority, and back."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from lab.addresses import is_loopback
from lab.report.qr import print_qr


def print_instructions(configuration: str, certificate: Path, address: tuple[str, int], out: Console) -> None:
    """Everything that a person needs to know to begin, and to put the device back as it was."""

    def say(*lines: str) -> None:
        out.print("\n".join(lines), soft_wrap=True, markup=False)

    say(_opened(*address), "", *_TUNNEL, "")
    print_qr(configuration.encode(), out, "This terminal cannot show the code. Take the lines below.")
    say("", configuration, "", f"2. Let the device trust the lab's authority, made for this run alone:   {certificate}")
    say(*_AUTHORITY, "", *_AFTERWARDS, "")


_TUNNEL = (
    "1. In the WireGuard app of the device, add a tunnel from this code, or from the lines below it, and switch it on:",
)
_AUTHORITY = (
    "   Send the file to the device by cable, by AirDrop or by mail to yourself. Then",
    "   Android: Settings, Security, Encryption & credentials, Install a certificate, CA certificate.",
    "   iOS: open it, Settings, Profile Downloaded, Install; then General, About, Certificate Trust Settings, on.",
    "   Apps that accept certain certificates only (pinning) refuse all the same, and so do apps for Android that do",
    "   not accept what a user installs. Who refuses is named here; what they would have sent is not known.",
)
_AFTERWARDS = (
    "   All that the device sends until then is recorded, passwords too, and deleted when this program ends, unless",
    "   --captures keeps it.",
    "",
    "3. Afterwards remove the tunnel and the authority: on Android where it was installed, among the user credentials;",
    "   on iOS under General, VPN & Device Management. Its key is gone once this program has ended.",
)


def _opened(host: str, port: int) -> str:
    where = f"Listening for WireGuard at {host}, UDP port {port}"
    if is_loopback(host):
        return f"{where}, which only this machine reaches. Only for devices that you own."
    return (
        f"{where}, until Ctrl-C. This is opened to the network of this machine: nobody without the key that is printed "
        "here can use it, and whoever has it gets wherever this machine gets, its own services included. Only for "
        "devices that you own."
    )
