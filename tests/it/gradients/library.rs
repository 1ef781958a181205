//! Every definition of std, each in a small model of its own.

use std::collections::BTreeSet;

use ntmc::model::Loss;
use ntmc::model::library::STD;
use ntmc::syntax::ast;

use super::{Case, Firsts};
use crate::support::tree;

/// Module, definition, and a model `t` that calls it with inputs for everything it could emit.
const CALLS: &[(&str, &str, &str)] = &[
    ("std.address", "cosine", "model t[K = 4](u[K], v[K]) -> y { y = cosine(u, v) }"),
    ("std.address", "cosine_floor", "model t[K = 4](u[K], v[K]) -> y { y = cosine_floor(u, v) }"),
    ("std.address", "cosine_smooth", "model t[K = 4](u[K], v[K]) -> y { y = cosine_smooth(u, v) }"),
    (
        "std.address",
        "content",
        "model t[N = 4, W = 3](M[N, W], k[W], b) -> y[N] {
           y = content(M, k = k, beta = positive(b))
         }",
    ),
    (
        "std.address",
        "interpolate",
        "model t[N = 4](w[N], v[N], g) -> y[N] {
           y = interpolate(softmax(w), softmax(v), g = unit(g))
         }",
    ),
    (
        "std.address",
        "shift",
        "model t[N = 4](w[N], s[-1..1]) -> y[N] { y = shift(softmax(w), s = softmax(s)) }",
    ),
    (
        "std.address",
        "sharpen",
        "model t[N = 4](w[N], g) -> y[N] { y = sharpen(softmax(w), gamma = 1 + positive(g)) }",
    ),
    (
        "std.dnc",
        "lookup",
        "model t[N = 4, W = 3](M[N, W], k[W], b) -> y[N] {
           y = lookup(M, k = k, beta = 1 + positive(b))
         }",
    ),
    (
        "std.dnc",
        "usage",
        "model t[N = 4, R = 2](w[N], f[R], wr[R, N]) -> y[N] {
           free[r] = unit(f[r])
           read[r] = softmax(wr[r])
           y = usage(softmax(w), free, read)
         }",
    ),
    (
        "std.dnc",
        "allocation",
        "model t[N = 5](a[N]) -> y[N] {
           u[i] = unit(a[i])
           y = allocation(u)
         }",
    ),
    ("std.dnc", "links", "model t[N = 4](w[N]) -> y[N, N] { y = links(softmax(w)) }"),
    ("std.dnc", "forward", "model t[N = 4](L[N, N], w[N]) -> y[N] { y = forward(L, w) }"),
    ("std.dnc", "backward", "model t[N = 4](L[N, N], w[N]) -> y[N] { y = backward(L, w) }"),
    (
        "std.dnc",
        "mix",
        "model t[K = 3, N = 4](w[K, N], p[K]) -> y[N] { y = mix(w, pi = softmax(p)) }",
    ),
    ("std.dnc", "blend", "model t[N = 4](a[N], b[N], g) -> y[N] { y = blend(a, b, g = unit(g)) }"),
    ("std.loss", "bits", "model t[K = 4](a[K], b[K]) -> y { y = bits(a, b) }"),
    // No gradient passes through `top`, and the loss does not depend on it: differences agree.
    ("std.loss", "classes", "model t[K = 4](a[K], b[K]) -> y { y = classes(a, b) }"),
    ("std.loss", "squares", "model t[K = 4](a[K], b[K]) -> y { y = squares(a, b) }"),
    (
        "std.memory",
        "lrua",
        "model t[N = 5](r[N], u[N], a) -> y[N] { y = lrua(r, u, alpha = unit(a), n = 2) }",
    ),
    (
        "std.memory",
        "sparse_read",
        "model t[N = 5, W = 3](M[N, W], k[W], b) -> y[W] {
           y = sparse_read[2](M, k = k, beta = positive(b))
         }",
    ),
    (
        "std.memory",
        "stack",
        "model t[W = 2](v[W], a, b) -> y[W] {
           y = stack[4, W](v = tanh(v), push = unit(a), pop = unit(b))
         }",
    ),
    (
        "std.memory",
        "gated_delta",
        "model t[V = 2, K = 3](q[K], k[K], v[V], a, b) -> y[V] {
           y = gated_delta[V, K](q = q, k = k, v = v, alpha = unit(a), beta = unit(b))
         }",
    ),
    ("std.nn", "linear", "model t[I = 3](x[I]) -> y[2] { y = linear[2](x) }"),
    ("std.nn", "lstm", "model t[I = 2](x[I]) -> y[3] { y = lstm[3](x) }"),
    ("std.nn", "gru", "model t[I = 2](x[I]) -> y[3] { y = gru[3](x) }"),
    ("std.nn", "feedforward", "model t[I = 2](x[I]) -> y[4] { y = feedforward[4](x) }"),
    ("std.nn", "deep_lstm", "model t[I = 2](x[I]) -> y[2, 2] { y = deep_lstm[2, 2](x) }"),
];

/// The definitions of a module of std.
pub(super) fn definitions(text: &str) -> Vec<String> {
    let names = tree(text).items.into_iter().filter_map(|item| match item {
        ast::Item::Def(def) => Some(def.name.text),
        ast::Item::Model(_) | ast::Item::Train(_) => None,
    });
    names.collect()
}

/// Optimisers have trajectories instead: they are never differentiated.
#[test]
fn every_definition_has_a_model() {
    let modules = STD.iter().filter(|(module, _)| module != "std.optim");
    let defined: BTreeSet<(&str, String)> = modules
        .flat_map(|(module, text)| {
            definitions(text).into_iter().map(|name| (module.as_str(), name))
        })
        .collect();
    let called: BTreeSet<(&str, String)> =
        CALLS.iter().map(|(module, name, _)| (*module, (*name).to_owned())).collect();
    assert_eq!(defined, called);
}

#[test]
fn every_definition_has_its_slopes() {
    for (module, name, model) in CALLS {
        let text = format!("ntm 1\nuse {module}\n\n{model}\n");
        let case = Case { name, text: &text, sizes: "", loss: Loss::HalfSquares };
        case.check(Firsts::Drawn);
        if !case.model().states.is_empty() {
            case.check(Firsts::Computed);
        }
    }
}
