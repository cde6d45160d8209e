"""Who is behind a call that the kernel passes on, as bytes (KER-16)."""

from typing import Final

from google.protobuf.message import DecodeError

from logos.kernel.v1 import capability_pb2 as pb
from logos_base.capabilities import ModuleSubject, NodeSubject, OperatorSubject, Role, Subject
from logos_module.capabilities.errors import TokenInvalidError

ROLES: Final = {
    pb.ROLE_VIEWER: Role.VIEWER,
    pb.ROLE_OPERATOR: Role.OPERATOR,
    pb.ROLE_ADMIN: Role.ADMIN,
}
NUMBERS: Final = {role: number for number, role in ROLES.items()}


def caller_to_bytes(caller: Subject) -> bytes:
    """Returns a serialised `CallerInfo`."""
    match caller:
        case ModuleSubject(name, instance_id, epoch):
            module = pb.ModuleSubject(name=name, instance_id=instance_id, epoch=epoch)
            return pb.CallerInfo(module=module).SerializeToString()
        case OperatorSubject(name, role):
            operator = pb.OperatorSubject(name=name, role=NUMBERS[role])
            return pb.CallerInfo(operator=operator).SerializeToString()
        case NodeSubject(name):
            raise ValueError(f"no call of the kernel of {name} is passed on")


def caller_from_bytes(said: bytes) -> Subject:
    """Returns the caller, or raises `TokenInvalidError`. To be believed from the kernel alone."""
    info = pb.CallerInfo()
    try:
        info.ParseFromString(said)
    except DecodeError as error:
        raise TokenInvalidError("who is behind this call cannot be read") from error
    match info.WhichOneof("caller"):
        case "module":
            return ModuleSubject(info.module.name, info.module.instance_id, info.module.epoch)
        case "operator" if info.operator.role in ROLES:
            return OperatorSubject(info.operator.name, ROLES[info.operator.role])
    raise TokenInvalidError("who is behind this call is not known here")
