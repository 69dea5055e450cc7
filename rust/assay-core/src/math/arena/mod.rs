//! Expressions in one arena, each once, in a form where much that is equal is already identical.
//!
//! Both sides of a comparison are built into the same [`Arena`]; equal [`Id`]s are equal expressions. The form keeps
//! numbers exact (a rational is one node), sums and products flat, like terms and like powers joined, roots of
//! rationals as powers of their prime factors, and trigonometric functions of rational multiples of pi reduced.

mod algebra;
mod bind;
mod build;
mod calculus;
mod calls;
mod complex;
mod elementary;
mod integrate;
mod matrix;
mod polynomial;
mod power;
mod series;

use std::cell::Cell;
use std::hash::{Hash as _, Hasher as _};

use dashu::rational::RBig;
use rustc_hash::{FxHashMap, FxHasher};

use super::ast::{Constant, Function};
use super::fuel::{Fuel, Step, Stop};

pub(crate) use build::{Built, Roots};

/// More nodes than this are not worth comparing.
const MAX_NODES: usize = 1 << 15;

/// A node of the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(u32);

impl Id {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An expression whose parts are nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Number(RBig),
    /// Pi, e or i.
    Constant(Constant),
    Symbol(Box<str>),
    /// At least two terms, ascending; at most one is a number, and it comes last.
    Add(Box<[Id]>),
    /// At least two factors, ascending; at most one is a number, and it comes first.
    Mul(Box<[Id]>),
    Pow(Id, Id),
    Call(Function, Box<[Id]>),
    /// A function assay does not know.
    Apply(Box<str>, Box<[Id]>),
}

/// What is known of a node without evaluating it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    /// It contains a symbol or an unknown function.
    pub(crate) symbolic: bool,
    /// It contains the imaginary unit.
    pub(crate) imaginary: bool,
    /// Bits of the longest number in it, capped at `u32::MAX`.
    pub(crate) bits: u32,
}

/// All expressions of one comparison, and its fuel.
pub(crate) struct Arena {
    nodes: Vec<Node>,
    facts: Vec<Facts>,
    hashes: Vec<u64>,
    /// Filled once scanning `hashes` would be slower.
    index: FxHashMap<u64, Id>,
    pub(crate) fuel: Fuel,
    pub(crate) roots: Roots,
    /// Bound variables and substituted symbols, innermost last.
    scope: Vec<(Box<str>, Id)>,
    /// `+1` or `-1` for `\pm`.
    pub(crate) sign: i8,
}

/// What an arena leaves for the next one of its thread: room, and the nodes that every arena starts with.
struct Stored {
    nodes: Vec<Node>,
    facts: Vec<Facts>,
    hashes: Vec<u64>,
}

/// Nodes that every arena starts with.
const SHARED: usize = 7;
/// An arena that grew beyond this gives its memory back.
const MAX_SPARE: usize = 1024;

thread_local! {
    static SPARE: Cell<Option<Stored>> = const { Cell::new(None) };
}

impl Drop for Arena {
    fn drop(&mut self) {
        if self.nodes.capacity() > MAX_SPARE {
            return;
        }
        self.nodes.truncate(SHARED);
        self.facts.truncate(SHARED);
        self.hashes.truncate(SHARED);
        let stored = Stored {
            nodes: std::mem::take(&mut self.nodes),
            facts: std::mem::take(&mut self.facts),
            hashes: std::mem::take(&mut self.hashes),
        };
        // A thread that is ending keeps nothing.
        let _ = SPARE.try_with(|spare| spare.set(Some(stored)));
    }
}

impl Arena {
    /// The numbers every arena starts with.
    pub(crate) const ZERO: Id = Id(0);
    pub(crate) const ONE: Id = Id(1);
    pub(crate) const MINUS_ONE: Id = Id(2);
    pub(crate) const HALF: Id = Id(3);
    pub(crate) const PI: Id = Id(4);
    pub(crate) const E: Id = Id(5);
    pub(crate) const I: Id = Id(6);

    pub(crate) fn new(budget: u64) -> Self {
        let stored = SPARE.try_with(Cell::take).ok().flatten();
        let fresh = stored.is_none();
        let Stored {
            nodes,
            facts,
            hashes,
        } = stored.unwrap_or_else(|| Stored {
            nodes: Vec::with_capacity(64),
            facts: Vec::with_capacity(64),
            hashes: Vec::with_capacity(64),
        });
        let mut arena = Self {
            nodes,
            facts,
            hashes,
            index: FxHashMap::default(),
            fuel: Fuel::new(budget),
            roots: Roots::Real,
            scope: Vec::new(),
            sign: 1,
        };
        if !fresh {
            return arena;
        }
        let half = RBig::from_parts(1.into(), 2u8.into());
        for number in [RBig::ZERO, RBig::ONE, RBig::NEG_ONE, half] {
            let node = Node::Number(number);
            let hash = hash_of(&node);
            arena.push(node, hash);
        }
        for constant in [Constant::Pi, Constant::E, Constant::I] {
            let node = Node::Constant(constant);
            let hash = hash_of(&node);
            arena.push(node, hash);
        }
        arena
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id.index()]
    }

    pub(crate) fn facts(&self, id: Id) -> Facts {
        self.facts[id.index()]
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The number a node is, if it is one.
    pub(crate) fn number(&self, id: Id) -> Option<&RBig> {
        match self.node(id) {
            Node::Number(value) => Some(value),
            _ => None,
        }
    }

    /// The small integer a node is, if it is one.
    pub(crate) fn small(&self, id: Id) -> Option<i64> {
        super::exact::small(self.number(id)?)
    }

    /// The node for `node`, which is taken to be in the arena's form already.
    fn intern(&mut self, node: Node) -> Step<Id> {
        self.fuel.spend(20)?;
        let hash = hash_of(&node);
        if self.nodes.len() <= SCAN {
            for (index, _) in self
                .hashes
                .iter()
                .enumerate()
                .filter(|&(_, &other)| other == hash)
            {
                if self.nodes[index] == node {
                    return Ok(Id(index as u32));
                }
            }
        } else if let Some(&id) = self.index.get(&hash) {
            // Two different nodes of one hash: the second stays unshared, which costs time and nothing else.
            if self.nodes[id.index()] == node {
                return Ok(id);
            }
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(Stop::Fuel);
        }
        Ok(self.push(node, hash))
    }

    fn push(&mut self, node: Node, hash: u64) -> Id {
        let id = Id(self.nodes.len() as u32);
        self.facts.push(self.facts_of(&node));
        self.nodes.push(node);
        self.hashes.push(hash);
        match self.nodes.len().cmp(&(SCAN + 1)) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => {
                self.index = (0u32..)
                    .map(Id)
                    .zip(&self.hashes)
                    .map(|(id, &hash)| (hash, id))
                    .collect();
            }
            std::cmp::Ordering::Greater => {
                self.index.insert(hash, id);
            }
        }
        id
    }

    fn facts_of(&self, node: &Node) -> Facts {
        let parts: &[Id] = match node {
            Node::Number(value) => {
                return Facts {
                    bits: u32::try_from(super::exact::bits(value)).unwrap_or(u32::MAX),
                    ..Facts::default()
                };
            }
            Node::Constant(constant) => {
                return Facts {
                    imaginary: *constant == Constant::I,
                    ..Facts::default()
                };
            }
            Node::Symbol(_) => {
                return Facts {
                    symbolic: true,
                    ..Facts::default()
                };
            }
            Node::Pow(base, exponent) => &[*base, *exponent],
            Node::Add(parts) | Node::Mul(parts) | Node::Call(_, parts) | Node::Apply(_, parts) => {
                parts
            }
        };
        let mut facts = Facts {
            symbolic: matches!(node, Node::Apply(..)),
            ..Facts::default()
        };
        for &part in parts {
            let part = self.facts(part);
            facts.symbolic |= part.symbolic;
            facts.imaginary |= part.imaginary;
            facts.bits = facts.bits.max(part.bits);
        }
        facts
    }

    pub(crate) fn rational(&mut self, value: RBig) -> Step<Id> {
        if value.is_zero() {
            return Ok(Self::ZERO);
        }
        if value.is_one() {
            return Ok(Self::ONE);
        }
        self.intern(Node::Number(value))
    }

    pub(crate) fn integer(&mut self, value: i64) -> Step<Id> {
        self.rational(RBig::from(value))
    }

    /// `numerator / denominator`, for constants of this crate; the denominator is not zero.
    pub(crate) fn ratio(&mut self, numerator: i64, denominator: u32) -> Step<Id> {
        self.rational(RBig::from_parts(numerator.into(), denominator.into()))
    }

    pub(crate) fn symbol(&mut self, name: &str) -> Step<Id> {
        if let Some((_, id)) = self.scope.iter().rev().find(|(bound, _)| **bound == *name) {
            return Ok(*id);
        }
        self.intern(Node::Symbol(name.into()))
    }

    /// Evaluates `with` while the symbol `name` stands for `value`.
    pub(crate) fn bound<T>(
        &mut self,
        name: &str,
        value: Id,
        with: impl FnOnce(&mut Self) -> Step<T>,
    ) -> Step<T> {
        self.scope.push((name.into(), value));
        let result = with(self);
        self.scope.pop();
        result
    }

    /// From here to [`Self::close_scope`] the symbol `name` stands for `value`.
    pub(crate) fn open_scope(&mut self, name: &str, value: Id) {
        self.scope.push((name.into(), value));
    }

    pub(crate) fn close_scope(&mut self) {
        self.scope.pop();
    }

    /// Whether the node has the symbol `name` in it.
    pub(crate) fn contains(&self, id: Id, name: &str) -> bool {
        self.facts(id).symbolic
            && match self.node(id) {
                Node::Symbol(symbol) => **symbol == *name,
                Node::Number(_) | Node::Constant(_) => false,
                Node::Pow(base, exponent) => {
                    self.contains(*base, name) || self.contains(*exponent, name)
                }
                Node::Add(parts)
                | Node::Mul(parts)
                | Node::Call(_, parts)
                | Node::Apply(_, parts) => parts.iter().any(|&part| self.contains(part, name)),
            }
    }

    /// The names of the symbols in the node, ascending.
    pub(crate) fn symbols(&self, id: Id) -> Vec<Box<str>> {
        let mut names = Vec::new();
        self.collect_symbols(id, &mut names);
        names.sort_unstable();
        names.dedup();
        names
    }

    fn collect_symbols(&self, id: Id, names: &mut Vec<Box<str>>) {
        if !self.facts(id).symbolic {
            return;
        }
        match self.node(id) {
            Node::Symbol(name) => {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            Node::Number(_) | Node::Constant(_) => {}
            Node::Pow(base, exponent) => {
                self.collect_symbols(*base, names);
                self.collect_symbols(*exponent, names);
            }
            Node::Add(parts) | Node::Mul(parts) | Node::Call(_, parts) | Node::Apply(_, parts) => {
                for &part in parts {
                    self.collect_symbols(part, names);
                }
            }
        }
    }
}

/// Up to this many nodes a scan over the hashes is faster than a table.
const SCAN: usize = 64;

fn hash_of(node: &Node) -> u64 {
    let mut hasher = FxHasher::default();
    // Most numbers are short, and the hash of an integer of any length is slow.
    if let Node::Number(value) = node
        && let (Ok(above), Ok(below)) = (
            i64::try_from(value.numerator()),
            u64::try_from(value.denominator()),
        )
    {
        // The first word tells it from the other kinds, which begin with a small one.
        (u64::MAX, above, below).hash(&mut hasher);
        return hasher.finish();
    }
    node.hash(&mut hasher);
    hasher.finish()
}
