//! Values in the few forms that comparisons tell apart.

use dashu::rational::RBig;

use super::name::name_of;
use super::region::Region;
use super::signs::scalar;
use crate::math::ast::{End, Expr, Relation, Value};
use crate::math::decide::Comparison;

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::math) enum Form {
    Scalar(Expr),
    Quantity(Expr, Box<str>),
    /// A tuple.
    Ordered(Vec<Form>),
    /// A set (repeats ignored) or a list of solutions.
    Unordered(Vec<Form>, Repeats),
    /// A part of the real line, and the unknown whose values it holds, if one is named.
    Region(Option<Box<str>>, Region),
    /// `name = value`, where the value may be several; `f(x)` is a name, too.
    Assigned(Box<str>, Box<Form>),
    Equation(Expr, Expr),
    /// A chain of relations in several unknowns, or one that cannot be solved.
    Inequality(Vec<Expr>, Vec<Relation>),
    /// All hold.
    System(Vec<Form>),
    Ratio(Vec<Expr>),
    Based(RBig),
    Time(u32),
    Choice(Box<str>),
    Truth(bool),
    Text(Box<str>),
    /// Set algebra over names: equal only if written the same.
    Other(Value),
}

/// Whether a collection counts how often something stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::math) enum Repeats {
    Ignored,
    Counted,
}

impl Comparison<'_> {
    pub(in crate::math) fn form(&mut self, value: &Value) -> Form {
        match value {
            Value::Expr(expr) => scalar(expr),
            Value::Quantity(expr, unit) => Form::Quantity(expr.clone(), unit.clone()),
            Value::Tuple(parts) => Form::Ordered(self.forms(parts)),
            Value::Set(parts) => self.set(parts),
            Value::List(parts) => self.list(parts),
            Value::Interval(from, to) => interval(from, to),
            Value::Union(parts) => self.algebra(value, parts, Region::Union),
            Value::Intersection(parts) => self.algebra(value, parts, Region::Intersection),
            Value::Difference(a, b) => {
                match (self.form(a).into_region(), self.form(b).into_region()) {
                    (Some((_, a)), Some((_, b))) => {
                        Form::Region(None, Region::Difference(Box::new(a), Box::new(b)))
                    }
                    _ => Form::Other(value.clone()),
                }
            }
            Value::Element(element, set) => {
                let set = self.form(set);
                named(element, set)
            }
            Value::Chain(terms, relations) => self.chain(terms, relations),
            Value::All(parts) => self.conjunction(parts),
            Value::Any(parts) => self.alternatives(parts),
            Value::Ratio(terms) => Form::Ratio(terms.clone()),
            Value::Base(value, _) => Form::Based(value.clone()),
            Value::Time(minutes) => Form::Time(*minutes),
            Value::Choice(letters, _) => Form::Choice(letters.clone()),
            Value::Truth(truth) => Form::Truth(*truth),
            Value::Text(text) => Form::Text(text.clone()),
        }
    }

    fn forms(&mut self, values: &[Value]) -> Vec<Form> {
        values.iter().map(|value| self.form(value)).collect()
    }

    /// `{1, 2}`; what stands for the elements of `{x | x > 1}` has no name outside.
    fn set(&mut self, parts: &[Value]) -> Form {
        let forms = self.forms(parts);
        match <[Form; 1]>::try_from(forms) {
            Ok([Form::Region(_, region)]) => Form::Region(None, region),
            Ok([Form::Assigned(_, values)]) if matches!(*values, Form::Unordered(..)) => *values,
            Ok([system @ Form::System(_)]) => system,
            Ok([one]) => Form::Unordered(flattened(vec![one]), Repeats::Ignored),
            Err(forms) => Form::Unordered(flattened(forms), Repeats::Ignored),
        }
    }

    /// `a, b`: solutions of one unknown, a system, or just several answers.
    fn list(&mut self, parts: &[Value]) -> Form {
        let forms = self.forms(parts);
        if let Some(values) = values_of_one_name(&forms) {
            return values;
        }
        if forms
            .iter()
            .all(|form| matches!(form, Form::Assigned(..) | Form::Equation(..)))
        {
            return Form::System(forms);
        }
        if forms
            .iter()
            .all(|form| matches!(form, Form::Region(_, Region::Condition { .. })))
        {
            return joined(forms, Region::Intersection).unwrap_or_else(Form::System);
        }
        Form::Unordered(flattened(forms), Repeats::Counted)
    }

    fn alternatives(&mut self, parts: &[Value]) -> Form {
        let forms = self.forms(parts);
        if let Some(values) = values_of_one_name(&forms) {
            return values;
        }
        let forms = if forms.iter().any(|form| matches!(form, Form::Region(..))) {
            match joined(forms, Region::Union) {
                Ok(region) => return region,
                Err(forms) => forms,
            }
        } else {
            forms
        };
        Form::Unordered(flattened(forms), Repeats::Ignored)
    }

    fn conjunction(&mut self, parts: &[Value]) -> Form {
        let forms = self.forms(parts);
        if forms.iter().all(|form| matches!(form, Form::Region(..))) && !forms.is_empty() {
            return joined(forms, Region::Intersection).unwrap_or_else(Form::System);
        }
        // "x = 1 and x = 2" lists the solutions of one unknown.
        if let Some(values) = values_of_one_name(&forms) {
            return values;
        }
        // "1 and 2" is a list.
        if forms
            .iter()
            .all(|form| matches!(form, Form::Scalar(_) | Form::Quantity(..)))
        {
            return Form::Unordered(forms, Repeats::Counted);
        }
        Form::System(forms)
    }

    fn algebra(&mut self, value: &Value, parts: &[Value], make: fn(Vec<Region>) -> Region) -> Form {
        let forms = self.forms(parts);
        let union = matches!(value, Value::Union(_));
        if union && forms.iter().all(|form| matches!(form, Form::Unordered(..))) {
            let items = forms.into_iter().flat_map(|form| match form {
                Form::Unordered(items, _) => items,
                _ => Vec::new(),
            });
            return Form::Unordered(items.collect(), Repeats::Ignored);
        }
        joined(forms, make).unwrap_or_else(|_| Form::Other(value.clone()))
    }
}

impl Form {
    /// As a part of the real line, if it is one, with its unknown.
    pub(super) fn into_region(self) -> Option<(Option<Box<str>>, Region)> {
        match self {
            Self::Region(name, region) => Some((name, region)),
            Self::Scalar(expr) => Some((None, Region::Points(vec![expr]))),
            Self::Assigned(name, value) => {
                let (_, region) = value.into_region()?;
                Some((Some(name), region))
            }
            Self::Unordered(items, _) => {
                let points: Option<Vec<Expr>> = items
                    .into_iter()
                    .map(|item| match item {
                        Self::Scalar(expr) => Some(expr),
                        _ => None,
                    })
                    .collect();
                points.map(|points| (None, Region::Points(points)))
            }
            _ => None,
        }
    }

    /// Whose values these are, if it is said.
    pub(super) fn unknown(&self) -> Option<&str> {
        match self {
            Self::Assigned(name, _) | Self::Region(Some(name), _) => Some(name),
            _ => None,
        }
    }
}

/// `element \in set`: the values of an unknown, as solutions and inequalities give them.
fn named(element: &Expr, set: Form) -> Form {
    match (name_of(element), set) {
        (Some(name), Form::Region(_, region)) => Form::Region(Some(name), region),
        (Some(name), set @ Form::Unordered(..)) => Form::Assigned(name, Box::new(set)),
        (_, set) => set,
    }
}

/// Parts of the line put together, unless they are of different unknowns or no such parts: then the forms again.
fn joined(forms: Vec<Form>, make: fn(Vec<Region>) -> Region) -> Result<Form, Vec<Form>> {
    let mut name: Option<Box<str>> = None;
    let mut regions = Vec::with_capacity(forms.len());
    for form in &forms {
        let Some((unknown, region)) = form.clone().into_region() else {
            return Err(forms);
        };
        match (&name, unknown) {
            (Some(name), Some(unknown)) if *name != unknown => return Err(forms),
            (None, unknown) => name = unknown,
            _ => {}
        }
        regions.push(region);
    }
    Ok(Form::Region(name, make(regions)))
}

/// The values of a `\pm` inside a collection belong to the collection.
fn flattened(forms: Vec<Form>) -> Vec<Form> {
    let mut flat = Vec::with_capacity(forms.len());
    for form in forms {
        match form {
            Form::Unordered(items, Repeats::Ignored)
                if items.len() == 2 && items.iter().all(|item| matches!(item, Form::Scalar(_))) =>
            {
                flat.extend(items);
            }
            other => flat.push(other),
        }
    }
    flat
}

fn interval(from: &End, to: &End) -> Form {
    Form::Region(None, Region::Interval(from.clone(), to.clone()))
}

/// `x = 1, x = 2` as the set of its values.
fn values_of_one_name(forms: &[Form]) -> Option<Form> {
    let Some(Form::Assigned(name, _)) = forms.first() else {
        return None;
    };
    let mut values = Vec::with_capacity(forms.len());
    for form in forms {
        match form {
            Form::Assigned(other, value) if other == name => match &**value {
                Form::Unordered(items, _) => values.extend(items.iter().cloned()),
                single => values.push(single.clone()),
            },
            // "x = 1, 2" or "x = 1 or 2"
            Form::Scalar(_) => values.push(form.clone()),
            _ => return None,
        }
    }
    Some(Form::Assigned(
        name.clone(),
        Box::new(Form::Unordered(values, Repeats::Ignored)),
    ))
}
