//! Values in the few forms that comparisons tell apart.

use dashu::rational::RBig;

use super::region::Region;
use crate::math::ast::{End, Expr, Function, Relation, Value};
use crate::math::decide::Comparison;
use crate::math::decide::all_symbols;

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::math) enum Form {
    Scalar(Expr),
    Quantity(Expr, Box<str>),
    /// A tuple.
    Ordered(Vec<Form>),
    /// A set (repeats ignored) or a list of solutions.
    Unordered(Vec<Form>, Repeats),
    /// A part of the real line.
    Region(Region),
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
            Value::Set(parts) => Form::Unordered(flattened(self.forms(parts)), Repeats::Ignored),
            Value::List(parts) => self.list(parts),
            Value::Interval(from, to) => interval(from, to),
            Value::Union(parts) => self.algebra(value, parts, Region::Union),
            Value::Intersection(parts) => self.algebra(value, parts, Region::Intersection),
            Value::Difference(a, b) => {
                match (self.form(a).into_region(), self.form(b).into_region()) {
                    (Some(a), Some(b)) => {
                        Form::Region(Region::Difference(Box::new(a), Box::new(b)))
                    }
                    _ => Form::Other(value.clone()),
                }
            }
            Value::Element(_, set) => self.form(set),
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
            .all(|form| matches!(form, Form::Region(Region::Condition { .. })))
        {
            return conjunction_of(forms);
        }
        Form::Unordered(flattened(forms), Repeats::Counted)
    }

    fn alternatives(&mut self, parts: &[Value]) -> Form {
        let forms = self.forms(parts);
        if let Some(values) = values_of_one_name(&forms) {
            return values;
        }
        if forms.iter().any(|form| matches!(form, Form::Region(_))) {
            let regions: Option<Vec<Region>> =
                forms.iter().cloned().map(Form::into_region).collect();
            if let Some(regions) = regions {
                return Form::Region(Region::Union(regions));
            }
        }
        Form::Unordered(flattened(forms), Repeats::Ignored)
    }

    fn conjunction(&mut self, parts: &[Value]) -> Form {
        let forms = self.forms(parts);
        if forms.iter().all(|form| matches!(form, Form::Region(_))) && !forms.is_empty() {
            return conjunction_of(forms);
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
        let regions: Option<Vec<Region>> = forms.into_iter().map(Form::into_region).collect();
        match regions {
            Some(regions) => Form::Region(make(regions)),
            None => Form::Other(value.clone()),
        }
    }

    fn chain(&mut self, terms: &[Expr], relations: &[Relation]) -> Form {
        if relations
            .iter()
            .all(|relation| matches!(relation, Relation::Equal | Relation::Approx))
        {
            return self.equalities(terms);
        }
        if let Some(region) = isolated(terms, relations) {
            return Form::Region(region);
        }
        let mut names = Vec::new();
        terms.iter().for_each(|term| all_symbols(term, &mut names));
        names.sort_unstable();
        names.dedup();
        match &names[..] {
            [variable] => Form::Region(Region::Condition {
                variable: variable.clone(),
                terms: terms.to_vec(),
                relations: relations.to_vec(),
            }),
            _ => Form::Inequality(terms.to_vec(), relations.to_vec()),
        }
    }

    /// `x = 2`, `x = 1 + 1 = 2`, `1 + 1 = 2`, `x + y = 2`.
    fn equalities(&mut self, terms: &[Expr]) -> Form {
        let (Some(first), Some(last)) = (terms.first(), terms.last()) else {
            return Form::System(Vec::new());
        };
        if let Some(name) = name_of(first)
            && !contains(last, &name)
        {
            return Form::Assigned(name, Box::new(scalar(last)));
        }
        // AB = 5, |PQ| = 3, AB/CD = 2: a length or a ratio of lengths with its value.
        if let Some(name) = lengths(first)
            && is_free(last)
        {
            return Form::Assigned(name, Box::new(scalar(last)));
        }
        if let (Expr::Symbol(name), 2) = (last, terms.len())
            && !contains(first, name)
        {
            return Form::Assigned(name.clone(), Box::new(scalar(first)));
        }
        let mut names = Vec::new();
        terms.iter().for_each(|term| all_symbols(term, &mut names));
        if names.is_empty() {
            // A computation; its result counts if it is right.
            let right = terms
                .windows(2)
                .all(|pair| self.expressions(&pair[0], &pair[1]).is_equal());
            if right {
                return scalar(last);
            }
        }
        match terms {
            [left, right] => Form::Equation(left.clone(), right.clone()),
            _ => Form::System(
                terms
                    .windows(2)
                    .map(|pair| Form::Equation(pair[0].clone(), pair[1].clone()))
                    .collect(),
            ),
        }
    }
}

impl Form {
    /// As a part of the real line, if it is one.
    pub(super) fn into_region(self) -> Option<Region> {
        match self {
            Self::Region(region) => Some(region),
            Self::Scalar(expr) => Some(Region::Points(vec![expr])),
            Self::Assigned(_, value) => value.into_region(),
            Self::Unordered(items, _) => {
                let points: Option<Vec<Expr>> = items
                    .into_iter()
                    .map(|item| match item {
                        Self::Scalar(expr) => Some(expr),
                        _ => None,
                    })
                    .collect();
                points.map(Region::Points)
            }
            _ => None,
        }
    }
}

/// An expression; with `\pm` in it, both of its values.
fn scalar(expr: &Expr) -> Form {
    if !has_plus_minus(expr) {
        return Form::Scalar(expr.clone());
    }
    let values = [true, false].map(|upper| Form::Scalar(with_signs(expr, upper)));
    Form::Unordered(values.into(), Repeats::Ignored)
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
    Form::Region(Region::Interval(from.clone(), to.clone()))
}

fn conjunction_of(forms: Vec<Form>) -> Form {
    let regions = forms.into_iter().filter_map(Form::into_region).collect();
    Form::Region(Region::Intersection(regions))
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

/// `a < x <= b` and `x < a`, `a` and `b` free of `x`: an interval, whatever else is in its ends.
fn isolated(terms: &[Expr], relations: &[Relation]) -> Option<Region> {
    let open = |at: &Expr, closed| End {
        at: at.clone(),
        closed,
    };
    let infinity = |negative: bool| {
        let at = Expr::Constant(crate::math::ast::Constant::Infinity);
        End {
            at: if negative {
                Expr::Neg(Box::new(at))
            } else {
                at
            },
            closed: false,
        }
    };
    let strict = |relation: Relation| matches!(relation, Relation::Less | Relation::Greater);
    let upward = |relation: Relation| matches!(relation, Relation::Less | Relation::LessEqual);
    let ordered = |relation: Relation| {
        !matches!(
            relation,
            Relation::Equal | Relation::NotEqual | Relation::Approx
        )
    };
    match (terms, relations) {
        ([Expr::Symbol(name), bound], [relation]) | ([bound, Expr::Symbol(name)], [relation])
            if !contains(bound, name) =>
        {
            if *relation == Relation::NotEqual {
                let all = Region::Interval(infinity(true), infinity(false));
                return Some(Region::Difference(
                    Box::new(all),
                    Box::new(Region::Points(vec![bound.clone()])),
                ));
            }
            if !ordered(*relation) {
                return None;
            }
            let end = open(bound, !strict(*relation));
            let below = upward(*relation)
                == matches!(terms.first(), Some(Expr::Symbol(first)) if first == name);
            Some(if below {
                Region::Interval(infinity(true), end)
            } else {
                Region::Interval(end, infinity(false))
            })
        }
        ([low, middle, high], [first, second])
            if (match middle {
                Expr::Symbol(name) => !contains(low, name) && !contains(high, name),
                // The values of a function: 0 < f(x) < 1.
                Expr::Apply(..) => is_free(low) && is_free(high),
                _ => false,
            }) && ordered(*first)
                && ordered(*second) =>
        {
            if upward(*first) != upward(*second) {
                return None;
            }
            let (left, right) = (open(low, !strict(*first)), open(high, !strict(*second)));
            Some(if upward(*first) {
                Region::Interval(left, right)
            } else {
                Region::Interval(right, left)
            })
        }
        _ => None,
    }
}

/// The name on the left of an assignment: a symbol, or an unknown function of symbols.
fn name_of(expr: &Expr) -> Option<Box<str>> {
    match expr {
        Expr::Symbol(name) => Some(name.clone()),
        Expr::Apply(name, arguments) => {
            let mut whole = String::from(&**name);
            whole.push('(');
            for argument in arguments {
                let Expr::Symbol(argument) = argument else {
                    return None;
                };
                whole.push_str(argument);
                whole.push(',');
            }
            whole.push(')');
            Some(whole.into())
        }
        _ => None,
    }
}

/// `AB`, `|AB|`, `AB / CD` with points as capital letters, as a name; the two points in either order.
fn lengths(expr: &Expr) -> Option<Box<str>> {
    match expr {
        Expr::Mul(points) if points.len() == 2 => {
            let mut letters: Vec<&str> = Vec::with_capacity(2);
            for point in points {
                match point {
                    Expr::Symbol(name) if is_capital(name) => letters.push(name),
                    _ => return None,
                }
            }
            letters.sort_unstable();
            Some(letters.concat().into())
        }
        Expr::Call(Function::Abs, parts) => match &parts[..] {
            [inner] => lengths(inner).filter(|name| !name.contains('/')),
            _ => None,
        },
        Expr::Div(above, below) => {
            let (above, below) = (lengths(above)?, lengths(below)?);
            (!above.contains('/') && !below.contains('/'))
                .then(|| format!("{above}/{below}").into())
        }
        _ => None,
    }
}

fn is_capital(name: &str) -> bool {
    name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The left side of an assignment to `name`: a symbol, or what [`lengths`] took it from.
pub(super) fn left_side(name: &str) -> Expr {
    if let Some((above, below)) = name.split_once('/') {
        return Expr::Div(Box::new(left_side(above)), Box::new(left_side(below)));
    }
    let points = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_uppercase());
    if !points {
        return Expr::symbol(name);
    }
    let point = |at: usize| Expr::symbol(name.get(at..=at).unwrap_or(""));
    Expr::Mul(vec![point(0), point(1)])
}

/// Whether an expression has no symbols at all.
fn is_free(expr: &Expr) -> bool {
    let mut names = Vec::new();
    all_symbols(expr, &mut names);
    names.is_empty()
}

fn contains(expr: &Expr, name: &str) -> bool {
    let mut names = Vec::new();
    all_symbols(expr, &mut names);
    names.iter().any(|other| **other == *name)
}

fn has_plus_minus(expr: &Expr) -> bool {
    match expr {
        Expr::PlusMinus(..) => true,
        Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => false,
        Expr::Add(parts) | Expr::Mul(parts) | Expr::Call(_, parts) | Expr::Apply(_, parts) => {
            parts.iter().any(has_plus_minus)
        }
        Expr::Div(a, b) | Expr::Pow(a, b) => has_plus_minus(a) || has_plus_minus(b),
        Expr::Neg(inner) | Expr::Percent(inner) | Expr::Degrees(inner) => has_plus_minus(inner),
        Expr::Bind { body, .. } => has_plus_minus(body),
        Expr::Matrix(rows) => rows.iter().flatten().any(has_plus_minus),
    }
}

/// The expression with the upper signs, or the lower ones.
fn with_signs(expr: &Expr, upper: bool) -> Expr {
    let one = |inner: &Expr| Box::new(with_signs(inner, upper));
    let many = |parts: &[Expr]| {
        parts
            .iter()
            .map(|part| with_signs(part, upper))
            .collect::<Vec<_>>()
    };
    match expr {
        Expr::PlusMinus(plus, inner) => {
            let inner = with_signs(inner, upper);
            if *plus == upper {
                inner
            } else {
                Expr::Neg(Box::new(inner))
            }
        }
        Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => expr.clone(),
        Expr::Add(parts) => Expr::Add(many(parts)),
        Expr::Mul(parts) => Expr::Mul(many(parts)),
        Expr::Call(function, parts) => Expr::Call(*function, many(parts)),
        Expr::Apply(name, parts) => Expr::Apply(name.clone(), many(parts)),
        Expr::Div(a, b) => Expr::Div(one(a), one(b)),
        Expr::Pow(a, b) => Expr::Pow(one(a), one(b)),
        Expr::Neg(inner) => Expr::Neg(one(inner)),
        Expr::Percent(inner) => Expr::Percent(one(inner)),
        Expr::Degrees(inner) => Expr::Degrees(one(inner)),
        Expr::Bind {
            binder,
            variable,
            lower,
            upper: bound,
            body,
        } => Expr::Bind {
            binder: binder.clone(),
            variable: variable.clone(),
            lower: lower.clone(),
            upper: bound.clone(),
            body: one(body),
        },
        Expr::Matrix(rows) => Expr::Matrix(rows.iter().map(|row| many(row)).collect()),
    }
}
