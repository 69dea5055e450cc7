"""The full JSON form of a `RewardSpec` as the message of spec.proto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.client._pb import spec_pb2
from assay.errors import AssayError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The revision of spec.proto that `_pb` was generated from.
REVISION = 1


def spec_message(table: Mapping[str, Any]) -> spec_pb2.RewardSpec:
    """The message of a spec.

    Args:
        table: the full form: `on_undecided`, and `component`, a list of tables with `kind`, `name`, `weight` and the
            options of the kind. Names and numbers have been checked by the core.

    Raises:
        AssayError: spec.proto lacks a name; client and core are not of one version.
    """
    message = spec_pb2.RewardSpec(revision=REVISION)
    for key, value in table.items():
        if key == "component":
            for options in value:
                _component(message.components.add(), options)
        else:
            _set(message, key, value)
    return message


def _component(message: spec_pb2.Component, table: Mapping[str, Any]) -> None:
    kind = table["kind"]
    if kind not in {field.name for field in message.DESCRIPTOR.oneofs_by_name["kind"].fields}:
        raise _missing(message, kind)
    options = getattr(message, kind)
    options.SetInParent()
    for key, value in table.items():
        if key in ("name", "weight"):
            _set(message, key, value)
        elif key == "tolerance":
            _tolerance(options.tolerance, value)
        elif key != "kind":
            _set(options, key, value)


def _tolerance(message: spec_pb2.Tolerance, value: str | Mapping[str, float]) -> None:
    if isinstance(value, str):
        _set(message, "rule", value)
        return
    _set(message, "rule", "within")
    for key, number in value.items():
        _set(message, key, number)


def _set(message: Any, name: str, value: Any) -> None:
    """Sets one field; a word becomes the enum value that is spelled so, after the prefix of its enum."""
    field = message.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        raise _missing(message, name)
    if field.enum_type is not None:
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        member = field.enum_type.values_by_name.get(prefix + value.upper())
        if member is None:
            raise _missing(message, f"{name} = {value}")
        value = member.number
    setattr(message, name, value)


def _missing(message: Any, what: str) -> AssayError:
    return AssayError(f"spec.proto has no place for {what} in {message.DESCRIPTOR.name}: reinstall assay")
