"""Methods of a module that are called by name, with values (KER-28).

    interface = Interface()

    @interface.method(repetition=Repetition.NO_SIDE_EFFECTS)
    async def greet(name: str) -> str:
        "Greets somebody."
        return f"Hello, {name}"

and in the composition root `serve(interface, context)`. Types of parameters and results are
those of the annotations; arguments that do not fit never reach the function.
"""

from logos_module.invocation.errors import InvalidArgsError, MethodFailedError, MethodNotFoundError
from logos_module.invocation.interface import Interface, Repetition
from logos_module.invocation.servicer import serve
from logos_module.invocation.types import Uint
from logos_module.invocation.values import Outcome, from_value, to_value

__all__ = [
    "Interface",
    "InvalidArgsError",
    "MethodFailedError",
    "MethodNotFoundError",
    "Outcome",
    "Repetition",
    "Uint",
    "from_value",
    "serve",
    "to_value",
]
