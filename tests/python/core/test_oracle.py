"""The verifier against SymPy and mpmath on generated expressions: equal by construction, and perturbed until mpmath sees it.

`ASSAY_ORACLE_COUNT` is the number of pairs of each kind (1,000 unless set); every pair follows from its seed alone.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import assay
from assay._native import explain

sympy = pytest.importorskip("sympy")
mpmath = pytest.importorskip("mpmath")

pytestmark = pytest.mark.timeout(900)  # SymPy on a busy machine
COUNT = int(os.environ.get("ASSAY_ORACLE_COUNT", "1000"))
X, Y = sympy.symbols("x y", positive=True)
Pair = tuple[str, str]


def rational(draw: random.Random) -> sympy.Expr:
    """A small rational, not zero."""
    return sympy.Rational(draw.choice([-1, 1]) * draw.randint(1, 12), draw.choice([1, 1, 1, 2, 3, 5]))


def polynomial(draw: random.Random, variables: list[sympy.Expr]) -> sympy.Expr:
    """A sum of two to four terms of degree at most three."""
    terms = [
        rational(draw) * sympy.prod([v ** draw.randint(0, 3) for v in variables]) for _ in range(draw.randint(2, 4))
    ]
    return sympy.Add(*terms)


def constant(draw: random.Random, depth: int) -> sympy.Expr:
    """A real constant of roots, logarithms and trigonometric values, unevaluated above its leaves."""
    if depth == 0:
        return draw.choice([rational(draw), sympy.sqrt(draw.randint(2, 12)), sympy.pi, sympy.E, sympy.Integer(2)])
    a, b = constant(draw, depth - 1), constant(draw, depth - 1)
    options = [
        lambda: a + b,
        lambda: a * b,
        lambda: a / (abs(b) + 1),
        lambda: sympy.sqrt(abs(a) + 1),
        lambda: sympy.log(abs(a) + 1),
        lambda: draw.choice([sympy.sin, sympy.cos, sympy.atan])(a),
    ]
    return draw.choice(options)()


def elementary(draw: random.Random, depth: int) -> sympy.Expr:
    """An elementary function of x that is defined for positive x."""
    if depth == 0:
        return draw.choice([X, X, X**2, rational(draw), 2 * X, X + 1])
    a, b = elementary(draw, depth - 1), elementary(draw, depth - 1)
    options = [
        lambda: a + b,
        lambda: a * b,
        lambda: a / (1 + X**2),
        lambda: sympy.sin(a),
        lambda: sympy.exp(sympy.sin(a)),
        lambda: sympy.log(X + draw.randint(1, 5)) * a,
        lambda: sympy.sqrt(X + draw.randint(1, 9)) + a,
    ]
    return draw.choice(options)()


def written(draw: random.Random, expression: sympy.Expr) -> str:
    """In LaTeX or in plain text, with e and i as people write them."""
    if draw.random() < 0.7:
        return sympy.latex(expression)
    return re.sub(r"\b[EI]\b", lambda name: name[0].lower(), str(expression))


def polynomials(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    factors = [polynomial(draw, [X, Y]) for _ in range(draw.randint(1, 2))]
    product = sympy.Mul(*factors)
    return product, sympy.expand(product)


def rational_functions(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    total = polynomial(draw, [X]) / (X + draw.randint(1, 5)) + rational(draw) / (X**2 + draw.randint(1, 5))
    return total, sympy.together(total)


def trigonometric(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    a, b = draw.randint(1, 3) * X, draw.randint(1, 3) * Y
    function = draw.choice([sympy.sin, sympy.cos])
    whole = function(a + b) * draw.choice([1, 2, sympy.cos(Y)])
    return whole, sympy.expand_trig(whole)


def powers_and_logarithms(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    n, m = draw.randint(2, 5), draw.randint(2, 5)
    whole = sympy.log(X**n * Y**m) + sympy.exp(X + n) * rational(draw)
    return whole, n * sympy.log(X) + m * sympy.log(Y) + sympy.expand(
        sympy.exp(X) * sympy.exp(n) * (whole.coeff(sympy.exp(X + n)) or 0)
    )


def constants(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    whole = constant(draw, 2)
    other = constant(draw, 1)
    return whole, sympy.Add(whole + other, -other, evaluate=False)


def surds(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    a, b, c = draw.randint(1, 9), draw.randint(1, 9), draw.choice([2, 3, 5, 6, 7])
    fraction = sympy.Mul(draw.randint(1, 9), sympy.Pow(a + b * sympy.sqrt(c), -1, evaluate=False), evaluate=False)
    return fraction, sympy.radsimp(fraction)


def complex_numbers(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    a, b, c, d = (draw.randint(-9, 9) or 1 for _ in range(4))
    left, right = a + b * sympy.I, c + d * sympy.I
    if draw.random() < 0.5:
        return sympy.Mul(left, right, evaluate=False), sympy.expand(left * right)
    return sympy.Mul(left, sympy.Pow(right, -1, evaluate=False), evaluate=False), sympy.expand(
        left * sympy.conjugate(right) / (c * c + d * d)
    )


def derivatives(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    body = elementary(draw, 1)
    return sympy.Derivative(body, X), sympy.diff(body, X)


def integrals(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    inside = polynomial(draw, [X])
    low, high = sorted(draw.sample(range(-4, 6), 2))
    return sympy.Integral(inside, (X, low, high)), sympy.integrate(inside, (X, low, high))


def sums(draw: random.Random) -> tuple[sympy.Expr, sympy.Expr]:
    k = sympy.Symbol("k")
    inside = draw.choice([k, k**2, 2**k, k * (k + 1), sympy.Rational(1, 2) ** k])
    high = draw.randint(3, 30)
    return sympy.Sum(inside, (k, 1, high)), sympy.Add(*[inside.subs(k, n) for n in range(1, high + 1)])


MAKERS: list[Callable[[random.Random], tuple[sympy.Expr, sympy.Expr]]] = [
    polynomials,
    rational_functions,
    trigonometric,
    powers_and_logarithms,
    constants,
    surds,
    complex_numbers,
    derivatives,
    integrals,
    sums,
]


def perturbed(draw: random.Random, expression: sympy.Expr) -> sympy.Expr:
    """The expression with something small done to it."""
    match draw.randrange(5):
        case 0:
            return expression + sympy.Rational(1, draw.choice([2, 10, 1000]))
        case 1:
            return -expression
        case 2:
            return expression * sympy.Rational(draw.choice([11, 101]), draw.choice([10, 100]))
        case 3:
            return expression + X if expression.free_symbols else expression + sympy.sqrt(2) / 1000
        case _:
            return expression.subs(X, X + 1) if expression.free_symbols else expression**2 + 1


def differ(a: sympy.Expr, b: sympy.Expr, seed: int) -> bool:
    """Whether mpmath sees the two apart at one of three positive points, at 40 digits."""
    draw = random.Random(seed)
    with mpmath.workdps(40):
        for _ in range(3):
            at = {X: sympy.Rational(draw.randint(1, 400), 97), Y: sympy.Rational(draw.randint(1, 400), 89)}
            values = [sympy.N(side.subs(at), 40) for side in (a, b)]
            if not all(value.is_number and value.is_finite for value in values):
                return False
            if abs(values[0] - values[1]) > sympy.Float(10) ** -25 * (1 + abs(values[0])):
                return True
    return False


def equal_pairs() -> list[Pair]:
    """`COUNT` pairs, equal by construction, of every maker in turn."""
    pairs = []
    for seed in range(COUNT):
        draw = random.Random(seed)
        left, right = MAKERS[seed % len(MAKERS)](draw)
        # SymPy's plain text of these is a call that no answer has.
        special = left.has(sympy.Derivative, sympy.Integral, sympy.Sum)
        pairs.append((sympy.latex(left) if special else written(draw, left), written(draw, right)))
    return pairs


def unequal_pairs() -> list[Pair]:
    """`COUNT` pairs of which mpmath sees the sides apart."""
    pairs = []
    seed = 0
    while len(pairs) < COUNT:
        draw = random.Random(1_000_000 + seed)
        # Derivatives and integrals cost mpmath most; their perturbations are those of their values.
        left, right = MAKERS[seed % len(MAKERS)](draw)
        other = perturbed(draw, right)
        if differ(right, other, seed):
            special = left.has(sympy.Derivative, sympy.Integral, sympy.Sum)
            pairs.append((sympy.latex(left) if special else written(draw, left), written(draw, other)))
        seed += 1
    return pairs


def verdicts(pairs: list[Pair]) -> list[assay.Verdict]:
    return [assay.verify(gold, answer, tolerance="exact") for gold, answer in pairs]


def test_equal_by_construction() -> None:
    pairs = equal_pairs()
    found = verdicts(pairs)
    wrong = [pair for pair, verdict in zip(pairs, found, strict=True) if verdict.outcome == "different"]
    assert not wrong, f"{len(wrong)} false negatives, first {wrong[:5]}"
    undecided = [(pair, v.reason) for pair, v in zip(pairs, found, strict=True) if v.outcome == "undecided"]
    assert len(undecided) <= COUNT // 100, undecided[:5]
    # Symmetric, reflexive, and the same on other threads.
    back = verdicts([(answer, gold) for gold, answer in pairs])
    assert [v.outcome for v in back] == [v.outcome for v in found]
    assert all(v for v in verdicts([(gold, gold) for gold, _ in pairs]))
    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(lambda pair: assay.verify(*pair, tolerance="exact"), pairs))
    assert [(v.outcome, v.stage, v.reason) for v in again] == [(v.outcome, v.stage, v.reason) for v in found]


def test_perturbed_is_never_equal() -> None:
    pairs = unequal_pairs()
    found = verdicts(pairs)
    wrong = [pair for pair, verdict in zip(pairs, found, strict=True) if verdict]
    assert not wrong, f"{len(wrong)} false positives, first {wrong[:5]}"
    undecided = [(pair, v.reason) for pair, v in zip(pairs, found, strict=True) if v.outcome == "undecided"]
    assert len(undecided) <= COUNT // 100, undecided[:5]
    back = verdicts([(answer, gold) for gold, answer in pairs])
    assert [v.outcome for v in back] == [v.outcome for v in found]


def test_rendering_changes_no_verdict() -> None:
    """A reading written out as LaTeX says what the text it was read from says."""
    for kind, pairs in (("equal", equal_pairs()[:300]), ("different", unequal_pairs()[:300])):
        for gold, answer in pairs:
            (readings, _), *_ = explain(gold, answer, tolerance="exact")
            assert assay.verify(readings[0], answer, tolerance="exact").outcome in (kind, "undecided"), (
                gold,
                readings[0],
            )
