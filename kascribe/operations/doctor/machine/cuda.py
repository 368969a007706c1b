"""What NVIDIA's driver says of the GPUs: read from its own library, which is on every machine with a driver."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

DRIVER: Final = "libcuda.so.1"
NAME_BYTES: Final = 128
_MAJOR: Final = 75
_MINOR: Final = 76
"""Attributes of cuda.h: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR."""


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """One GPU, in the order in which the settings count them."""

    name: str
    capability: tuple[int, int]
    total_bytes: int
    free_bytes: int


class DriverError(Exception):
    """The driver's library refused a call."""


def _driver() -> ctypes.CDLL | None:
    try:
        driver = ctypes.CDLL(DRIVER)
        return driver if driver.cuInit(0) == 0 else None
    except OSError:
        return None


def driver_version() -> str:
    """Return the newest CUDA that the driver serves, as in 12.8; "unknown" without a driver."""
    driver, version = _driver(), ctypes.c_int()
    if driver is None or driver.cuDriverGetVersion(ctypes.byref(version)) != 0:
        return "unknown"
    return f"{version.value // 1_000}.{version.value % 1_000 // 10}"


def cuda_devices() -> tuple[CudaDevice, ...]:
    """Return the GPUs that the driver lets this process see; none without a driver.

    For the free memory of each, a context is opened for a moment, which itself takes some hundred megabytes.
    """
    driver, count = _driver(), ctypes.c_int()
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return ()
    try:
        return tuple(_device(driver, index) for index in range(count.value))
    except DriverError:
        return ()


def _device(driver: ctypes.CDLL, index: int) -> CudaDevice:
    handle, name = ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES)
    _call(driver, "cuDeviceGet", ctypes.byref(handle), index)
    _call(driver, "cuDeviceGetName", name, NAME_BYTES, handle)
    capability = (_attribute(driver, _MAJOR, handle), _attribute(driver, _MINOR, handle))
    total = ctypes.c_size_t()
    _call(driver, "cuDeviceTotalMem_v2", ctypes.byref(total), handle)
    return CudaDevice(
        name.value.decode("utf-8", "replace"), capability, total.value, _free_bytes(driver, handle, total.value)
    )


def _attribute(driver: ctypes.CDLL, attribute: int, handle: ctypes.c_int) -> int:
    value = ctypes.c_int()
    _call(driver, "cuDeviceGetAttribute", ctypes.byref(value), attribute, handle)
    return value.value


def _free_bytes(driver: ctypes.CDLL, handle: ctypes.c_int, total_bytes: int) -> int:
    """Return the free memory; that of a GPU on which no context can be opened counts as 0."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t(total_bytes)
    try:
        with _context(driver, handle):
            _call(driver, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    except DriverError:
        return 0
    return free.value


@contextmanager
def _context(driver: ctypes.CDLL, handle: ctypes.c_int) -> Iterator[None]:
    context = ctypes.c_void_p()
    _call(driver, "cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
    try:
        _call(driver, "cuCtxSetCurrent", context)
        yield
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(handle)


def _call(driver: ctypes.CDLL, name: str, *arguments: object) -> None:
    status = getattr(driver, name)(*arguments)
    if status != 0:
        raise DriverError(f"{name} answered {status}")
