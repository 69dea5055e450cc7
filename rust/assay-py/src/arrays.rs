//! numpy arrays in, as slices without a copy; wrong ones are named with the remedy.

use numpy::{Element, PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::errors::invalid_input;

/// `value` as a one-dimensional C-contiguous array of `T` (`dtype` in words), else an error that says how to get one.
pub(crate) fn vector<'py, T: Element>(
    value: &Bound<'py, PyAny>,
    name: &str,
    dtype: &str,
) -> PyResult<PyReadonlyArray1<'py, T>> {
    if let Ok(array) = value.extract::<PyReadonlyArray1<'py, T>>()
        && array.is_c_contiguous()
    {
        return Ok(array);
    }
    let got = match value.cast::<PyUntypedArray>() {
        Ok(array) if array.ndim() != 1 => format!("an array of {} dimensions", array.ndim()),
        Ok(array) if array.is_c_contiguous() => format!("dtype {}", array.dtype()),
        Ok(_) => "an array that is not contiguous".to_owned(),
        Err(_) => format!("{}", value.get_type().name()?),
    };
    Err(invalid_input(
        value.py(),
        format!(
            "{name} must be a contiguous numpy array of {dtype} with one dimension, got {got}; \
             pass numpy.ascontiguousarray({name}, dtype=numpy.{dtype}).ravel()"
        ),
    ))
}

/// The elements of an array that [`vector`] returned.
pub(crate) fn slice<'a, T: Element>(array: &'a PyReadonlyArray1<'_, T>) -> PyResult<&'a [T]> {
    Ok(array.as_slice()?)
}
