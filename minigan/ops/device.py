"""Moving values between devices; see minigan.devices for which there are."""

from minigan import devices
from minigan.autograd import primitive
from minigan.autograd.tensor import Tensor


@primitive(saves="")
def to_device(x, *, device):
    """x on a device, "cpu", "cuda" or "sim": itself where it is there already."""
    return devices.move(x, device)


@to_device.vjp(0)
def _(g, y, x, *, device):
    return to_device(g, device=x.device if isinstance(x, Tensor) else devices.device_of(x))
