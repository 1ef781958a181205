//! Dims, shapes and tests as people write them.

use super::int::{Atom, Poly, SUMMED, Test, VarId};
use super::typed::{Def, Domain, Extent};

/// A polynomial: positive terms first, `2 * K + 1`.
pub(super) fn poly(def: &Def, poly: &Poly) -> String {
    let mut text = String::new();
    let mut terms: Vec<_> = poly.terms().collect();
    terms.sort_by_key(|(product, by)| (*by < 0, product.is_empty()));
    for (product, by) in terms {
        let sign = match (text.is_empty(), by < 0) {
            (true, true) => "-",
            (true, false) => "",
            (false, true) => " - ",
            (false, false) => " + ",
        };
        text.push_str(sign);
        let mut factors: Vec<String> = product.iter().map(|one| atom(def, one)).collect();
        if by.abs() != 1 || factors.is_empty() {
            factors.insert(0, by.abs().to_string());
        }
        text.push_str(&factors.join(" * "));
    }
    if text.is_empty() { "0".to_owned() } else { text }
}

/// The name of an index variable; those of sums over lists of dims have none of their own.
fn variable(def: &Def, var: VarId) -> String {
    match def.vars.get(var.0 as usize) {
        Some(info) if info.name.is_empty() => "_".to_owned(),
        Some(info) => info.name.clone(),
        None => format!("l{}", "'".repeat((SUMMED - var.0) as usize)),
    }
}

fn atom(def: &Def, atom: &Atom) -> String {
    match atom {
        Atom::Dim(dim) => def.dims[dim.0 as usize].name.clone(),
        Atom::Var(var) => variable(def, *var),
        Atom::Mod(left, right) => format!("(({}) mod {})", poly(def, left), poly(def, right)),
        Atom::If(condition, yes, no) => {
            format!("(if {} then {} else {})", test(def, condition), poly(def, yes), poly(def, no))
        }
        Atom::Item(list, at) => {
            format!("{}[{}]", def.dims[list.0 as usize].name, poly(def, at))
        }
        Atom::Sum(var, count, body) => {
            let name = variable(def, *var);
            format!("(sum[{name} in {}] {})", poly(def, count), poly(def, body))
        }
    }
}

/// A condition.
pub(super) fn test(def: &Def, condition: &Test) -> String {
    match condition {
        Test::Known(value) => value.to_string(),
        Test::Flag(flag) => def.flags[flag.0 as usize].name.clone(),
        Test::Less(left, right) => format!("{} < {}", poly(def, left), poly(def, right)),
        Test::Equal(left, right) => format!("{} == {}", poly(def, left), poly(def, right)),
        Test::And(left, right) => format!("{} and {}", test(def, left), test(def, right)),
        Test::Or(left, right) => format!("({} or {})", test(def, left), test(def, right)),
        Test::Not(inner) => format!("not ({})", test(def, inner)),
    }
}

/// An axis: `N` or `-range..range`.
pub(super) fn extent(def: &Def, extent: &Extent) -> String {
    if extent.low == Poly::number(0) {
        poly(def, &extent.size)
    } else {
        format!("{}..{}", poly(def, &extent.low), poly(def, &extent.high()))
    }
}

/// A shape: `[N, W]`, or `a single number`.
pub(super) fn shape(def: &Def, shape: &[Extent]) -> String {
    if shape.is_empty() {
        return "a single number".to_owned();
    }
    let axes: Vec<String> = shape.iter().map(|one| extent(def, one)).collect();
    format!("[{}]", axes.join(", "))
}

/// Where the numbers of a domain lie: its ends, or its name.
pub fn lies_in(domain: &Domain) -> String {
    let end = |end: &Option<f64>| end.map_or(String::new(), |end| end.to_string());
    match domain {
        Domain::Real(low, high) if low.is_some() || high.is_some() => {
            format!("{}..{}", end(low), end(high))
        }
        Domain::Real(..) | Domain::Simplex | Domain::Weighting | Domain::Sphere => {
            self::domain(domain)
        }
    }
}

/// A domain as it is written.
pub fn domain(domain: &Domain) -> String {
    match domain {
        Domain::Real(None, None) => "real".to_owned(),
        Domain::Real(Some(low), Some(high)) if (*low, *high) == (0.0, 1.0) => "unit".to_owned(),
        Domain::Real(Some(low), Some(high)) if (*low, *high) == (-1.0, 1.0) => "signed".to_owned(),
        Domain::Real(Some(low), None) if *low == 0.0 => "positive".to_owned(),
        Domain::Real(low, high) => {
            let end = |end: &Option<f64>| end.map_or(String::new(), |end| end.to_string());
            format!("real({}..{})", end(low), end(high))
        }
        Domain::Simplex => "simplex".to_owned(),
        Domain::Weighting => "weighting".to_owned(),
        Domain::Sphere => "sphere".to_owned(),
    }
}
