"""What contracts say of methods, at the front door: of the kernel's own and of the modules'."""

from collections.abc import Callable

from google.protobuf import descriptor_pb2

from logos_kernel.core.types import MethodKind
from logos_kernel.net.front import FRONT_SERVICES
from logos_kernel.net.probe import methods_of
from logos_module.reflection import describe


class Contracts:
    """Knows the methods of the kernel, and asks for those of modules.

    `kind_of` returns what is known of a module's method, `package.Service/Method`.
    """

    def __init__(self, kind_of: Callable[[str], MethodKind | None]) -> None:
        self._kind_of = kind_of
        files: descriptor_pb2.FileDescriptorSet = describe(FRONT_SERVICES)
        self._own = {method[1:]: kind for method, kind in methods_of(files.file)}

    def changes_nothing(self, method: str) -> bool:
        """Returns whether a method has `idempotency_level = NO_SIDE_EFFECTS`; False if unknown."""
        kind = self._own.get(method) or self._kind_of(method)
        return kind is not None and kind.changes_nothing
