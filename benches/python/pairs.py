"""Pairs of answers by category, with labels that follow from how they were made.

The generator is this project's own and its cases were looked at while the verifier was written.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

PER_CATEGORY = 60
Pair = tuple[str, str, bool]
Makers = dict[str, Callable[[random.Random, bool], tuple[str, str]]]


def frac(value: Fraction) -> str:
    """A fraction in LaTeX, an integer as it is."""
    sign = "-" if value < 0 else ""
    value = abs(value)
    return sign + (
        str(value.numerator) if value.denominator == 1 else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    )


def near(draw: random.Random, value: int) -> int:
    """Another integer close by."""
    return value + draw.choice([-10, -2, -1, 1, 2, 10])


def surd(square: int) -> str:
    """sqrt(square) with the largest square factor taken out."""
    out = max(d for d in range(1, square + 1) if square % (d * d) == 0)
    rest = square // (out * out)
    if rest == 1:
        return str(out)
    return (str(out) if out > 1 else "") + rf"\sqrt{{{rest}}}"


def numbers(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, b = draw.randint(1, 400), draw.choice([2, 4, 5, 8, 16, 20, 25])
    value = Fraction(a, b)
    other = value if equal else value + Fraction(draw.choice([-1, 1]), draw.choice([b, 1]))
    decimal = f"{float(other):.10f}".rstrip("0").rstrip(".")
    whole, part = divmod(other, 1)
    mixed = rf"{whole}\frac{{{part.numerator}}}{{{part.denominator}}}" if part and whole > 0 else frac(other)
    percent = f"{float(other * 100):.8f}".rstrip("0").rstrip(".") + r"\%"
    scientific = rf"{float(other) / 10:.8f}".rstrip("0").rstrip(".") + r"\times 10^{1}"
    return frac(value), draw.choice(
        [decimal, mixed, percent, scientific, rf"\dfrac{{{3 * other.numerator}}}{{{3 * other.denominator}}}"]
    )


def repeating(draw: random.Random, equal: bool) -> tuple[str, str]:
    digits, head = draw.randint(1, 98), draw.randint(0, 9)
    value = Fraction(head) + Fraction(digits, 99)
    shown = digits if equal else (digits + draw.randint(1, 97)) % 99 or 1
    if not equal and shown == digits:
        shown = digits % 98 + 1
    bar = rf"{head}.\overline{{{shown:02d}}}"
    return frac(value), draw.choice([bar, f"{head}.({shown:02d})"])


def huge(draw: random.Random, equal: bool) -> tuple[str, str]:
    n = draw.randint(900, 3_000)
    if draw.random() < 0.5:
        return rf"\frac{{1}}{{{n}!}}", rf"\frac{{1}}{{{n}\cdot {n - 1}!}}" if equal else rf"\frac{{1}}{{{n + 2}!}}"
    return rf"4^{{{n}}}", rf"2^{{{2 * n if equal else 2 * n + 1}}}"


def radicals(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, b = draw.randint(2, 9), draw.choice([2, 3, 5, 6, 7])
    match draw.randrange(4):
        case 0:
            return rf"\sqrt{{{a * a * b}}}", rf"{a if equal else near(draw, a) or 5}\sqrt{{{b}}}"
        case 1:
            return rf"\frac{{{a}}}{{\sqrt{{{b}}}}}", rf"\frac{{{a}\sqrt{{{b}}}}}{{{b if equal else b + 1}}}"
        case 2:
            c = a * a + b if equal else a * a + b + 1
            return rf"\sqrt{{{c}+{2 * a}\sqrt{{{b}}}}}", rf"{a}+\sqrt{{{b}}}"
        case _:
            return rf"\sqrt[3]{{-{a**3}}}", f"-{a if equal else a + 1}"


def polynomials(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, b, c = draw.randint(1, 9), draw.randint(1, 9), draw.randint(2, 5)
    linear = b + a * c + (0 if equal else draw.choice([-1, 1]))
    return rf"(x+{a})({c}x+{b})", f"{c}x^2+{linear}x+{a * b}"


def rational_functions(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, b = draw.sample(range(1, 9), 2)
    top = a + b if equal else a + b + 1
    return rf"\frac{{1}}{{x+{a}}}+\frac{{1}}{{x+{b}}}", rf"\frac{{2x+{top}}}{{(x+{a})(x+{b})}}"


def trigonometry(draw: random.Random, equal: bool) -> tuple[str, str]:
    n = draw.randint(2, 6)
    pairs = [
        (rf"\sin({2 * n}x)", rf"2\sin({n}x)\cos({n}x)", rf"2\sin({n}x)\cos({n + 1}x)"),
        (rf"\cos({2 * n}x)", rf"1-2\sin^2({n}x)", rf"1-2\cos^2({n}x)"),
        (r"\sin 30^\circ", r"\frac{1}{2}", r"\frac{\sqrt3}{2}"),
        (rf"\cos {60 * n}^\circ", rf"\cos\frac{{{n}\pi}}{{3}}", rf"\cos {60 * n}" if n % 3 else r"-\frac14"),
        (r"\tan\frac{\pi}{8}", r"\sqrt2-1", r"\sqrt2+1"),
        (r"\arctan 1", r"\frac{\pi}{4}", r"\frac{\pi}{3}"),
    ]
    gold, same, other = draw.choice(pairs)
    return gold, same if equal else other


def logarithms(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, n = draw.choice([2, 3, 5]), draw.randint(2, 7)
    pairs = [
        (rf"\log_{{{a}}} {a**n}", str(n), str(n + 1)),
        (rf"\ln {a**n}", rf"{n}\ln {a}", rf"{n + 1}\ln {a}"),
        (rf"\lg {10**n}", str(n), str(n - 1)),
        (rf"\mathrm{{e}}^{{{n}}}", rf"e^{{{n}}}", rf"e^{{{n + 1}}}"),
        (rf"\ln(x^{n}y)", rf"{n}\ln x+\ln y", rf"{n}\ln x-\ln y"),
        (rf"1-\frac{{1}}{{\mathrm{{e}}^{n}}}", rf"1-e^{{-{n}}}", rf"1+e^{{-{n}}}"),
    ]
    gold, same, other = draw.choice(pairs)
    return gold, same if equal else other


def complex_numbers(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, b, c, d = (draw.randint(1, 9) for _ in range(4))
    re, im = a * c - b * d, a * d + b * c
    if not equal:
        im += draw.choice([-1, 1])
    size = draw.choice([(3, 4, 5), (5, 12, 13), (8, 15, 17)])
    pairs = [
        (f"({a}+{b}i)({c}+{d}i)", f"{re}{im:+d}i"),
        (rf"|{size[0]}+{size[1]}i|", str(size[2] if equal else size[2] + 1)),
        (rf"{a}(\cos 90^\circ+i\sin 90^\circ)", rf"{a if equal else a + 1}\mathrm{{i}}"),
        (rf"\pm {a}i", f"{a}i, -{a}i" if equal else f"{a}, -{a}"),
        (rf"i^{{{4 * a + 3}}}", "-i" if equal else "i"),
    ]
    return draw.choice(pairs)


def intervals(draw: random.Random, equal: bool) -> tuple[str, str]:
    low, high = draw.randint(-9, 0), draw.randint(1, 9)
    other = high if equal else high + 1
    pairs = [
        (f"[{low},{high})", rf"{low} \le x < {other}"),
        (rf"(-\infty,{low})\cup({high},\infty)", rf"x<{low} \text{{ or }} x>{other}"),
        (f"({low},{high})", f"]{low},{other}["),
        (rf"(-\infty,{high})\cup({high},\infty)", rf"\mathbb{{R}}\setminus\{{{other}\}}"),
        (f"({low},{high}]", f"({low},{high}]" if equal else f"({low},{high})"),
        (rf"x \ne {high}", rf"(-\infty,{other})\cup({other},+\infty)"),
    ]
    return draw.choice(pairs)


def collections(draw: random.Random, equal: bool) -> tuple[str, str]:
    items = draw.sample(range(-20, 40), draw.randint(2, 5))
    mixed = draw.sample(items, len(items))
    wrong = [*mixed[:-1], mixed[-1] + 100]
    shown = mixed if equal else wrong
    joined = ", ".join(map(str, items))
    other = ", ".join(map(str, shown))
    point = draw.sample(range(-9, 9), 3)
    moved = point if equal else point[::-1]
    pairs = [
        (rf"\{{{joined}\}}", rf"\{{{other}\}}"),
        (joined, rf"\{{{other}\}}"),
        (rf"x={items[0]} \text{{ or }} x={items[1]}", f"{items[1]}, {items[0] if equal else items[0] + 1}"),
        (f"({point[0]},{point[1]},{point[2]})", rf"\langle {moved[0]},{moved[1]},{moved[2]}\rangle"),
        (f"({abs(point[0]) + 5},{point[1] % 5})", f"({abs(point[0]) + 5}, {point[1] % 5 + (0 if equal else 1)})"),
        (
            rf"{abs(point[0]) + 1}\pm\sqrt3",
            rf"{abs(point[0]) + 1}+\sqrt3, {abs(point[0]) + 1}{'-' if equal else '+'}\sqrt{'3' if equal else '5'}",
        ),
    ]
    return draw.choice(pairs)


def matrices(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, b, c, d = (draw.randint(-9, 9) for _ in range(4))
    cells = [a, b, c, d if equal else d + 1]
    gold = rf"\begin{{pmatrix}}{a}&{b}\\{c}&{d}\end{{pmatrix}}"
    n = draw.randint(2, 9)
    pairs = [
        (gold, rf"\begin{{bmatrix}}{cells[0]}&{cells[1]}\\{cells[2]}&{cells[3]}\end{{bmatrix}}"),
        (gold, f"[[{cells[0]},{cells[1]}],[{cells[2]},{cells[3]}]]"),
        (
            rf"\begin{{pmatrix}}1&1\\0&1\end{{pmatrix}}^{n}",
            rf"\begin{{pmatrix}}1&{n if equal else n + 1}\\0&1\end{{pmatrix}}",
        ),
        (rf"\det\begin{{pmatrix}}{a}&{b}\\{c}&{d}\end{{pmatrix}}", str(a * d - b * c + (0 if equal else 1))),
    ]
    return draw.choice(pairs)


def equations(draw: random.Random, equal: bool) -> tuple[str, str]:
    m, c = draw.randint(2, 9), draw.randint(1, 9)
    k = c if equal else c + 1
    pairs = [
        (f"y={m}x+{c}", f"{m}x-y+{k}=0"),
        (f"x={m}", str(m if equal else m + 1)),
        (
            rf"\frac{{x^2}}{{{m * m}}}+\frac{{y^2}}{{{c * c + 1}}}=1",
            f"{c * c + 1}x^2+{m * m}y^2={(c * c + 1) * m * m + (0 if equal else 1)}",
        ),
        (f"f(x)={m}x+{c}", f"{m}x+{k}"),
        (f"AB={m}", str(m if equal else m + 1)),
        (f"x={m}, y={c}", f"({m},{k})"),
    ]
    return draw.choice(pairs)


def inequalities(draw: random.Random, equal: bool) -> tuple[str, str]:
    a, b = draw.randint(1, 9), draw.randint(2, 9)
    end = a if equal else a + 1
    pairs = [
        (f"x>{a}", f"{b}x>{b * end}"),
        (f"x>{a}", f"{end}<x"),
        (rf"{-a}<x<{a}", f"x^2<{end * end}"),
        (rf"-{a}\le x\le {a + b}", rf"{a + b}\ge x\ge -{end}"),
        (f"x<{a} \\text{{ or }} x>{a + b}", f"(x-{end})(x-{a + b})>0"),
    ]
    gold, answer = draw.choice(pairs)
    return gold, answer


def units(draw: random.Random, equal: bool) -> tuple[str, str]:
    n = draw.randint(2, 90)
    pairs = [
        (rf"{n}\text{{ cm}}", f"{n}", f"{n} kg"),
        (rf"{n} \text{{ cm}}", f"{n} cm", f"{n} m"),
        (rf"\${n}", f"{n} dollars", rf"{n} euros"),
        (rf"{n}^\circ", f"{n}", f"{n + 1}"),
        (f"{n} apples", str(n), str(n + 1)),
        (rf"{n}\ \mathrm{{m/s}}", f"{n} m/s", f"{n} km/h"),
        (f"{n}元", f"{n}", f"{n + 10}"),
    ]
    gold, same, other = draw.choice(pairs)
    return gold, same if equal else other


def thousands(draw: random.Random, equal: bool) -> tuple[str, str]:
    value = draw.randint(1_000, 9_999_999)
    shown = value if equal else near(draw, value)
    comma = f"{shown:,}"
    return str(value), draw.choice(
        [
            comma,
            comma.replace(",", "{,}"),
            comma.replace(",", r"\,"),
            comma.replace(",", " "),
            comma.replace(",", r",\!"),
        ]
    )


def bases(draw: random.Random, equal: bool) -> tuple[str, str]:
    value = draw.randint(8, 200)
    return f"{value:b}_2", draw.choice(
        [
            f"{value if equal else value + 1:o}_8",
            f"{value:b}_{{2}}" if equal else f"{value:b}_{{3}}",
            str(value) + "_{10}" if equal else f"{value:b}",
        ]
    )


def choices(draw: random.Random, equal: bool) -> tuple[str, str]:
    letter = draw.choice("ABCD")
    shown = letter if equal else draw.choice([other for other in "ABCD" if other != letter])
    form = draw.choice(["({})", r"\text{{{}}}", r"\textbf{{({})}}", "{}.", "{}) 12", "option {}", r"\mathrm{{{}}}"])
    return letter, form.format(shown)


def words(draw: random.Random, equal: bool) -> tuple[str, str]:
    pool = ["Monday", "Evelyn", "even", "odd", "isosceles triangle", "yes", "no", "True", "False", "north"]
    word = draw.choice(pool)
    other = word if equal else draw.choice([w for w in pool if w != word])
    if word in ("yes", "no", "True", "False") and not equal:
        other = {"yes": "no", "no": "yes", "True": "False", "False": "True"}[word]
    return rf"\text{{{word}}}", rf"\text{{{other.lower() if draw.random() < 0.5 else other}}}"


def calculus(draw: random.Random, equal: bool) -> tuple[str, str]:
    n, m = draw.randint(2, 6), draw.randint(2, 30)
    plus = 0 if equal else 1
    pairs = [
        (rf"\int_0^{n} x^2\,dx", frac(Fraction(n**3, 3) + plus)),
        (rf"\frac{{d}}{{dx}}x^{n}", rf"{n + plus}x^{{{n - 1}}}"),
        (rf"\sum_{{k=1}}^{{{m}}}k", str(m * (m + 1) // 2 + plus)),
        (rf"\lim_{{x\to 0}}\frac{{\sin {n}x}}{{x}}", str(n + plus)),
        (rf"\prod_{{k=1}}^{{{n}}}k", str(math.factorial(n) + plus)),
        (r"\sum_{k=1}^{\infty}\frac{1}{k^2}", r"\frac{\pi^2}{6}" if equal else r"\frac{\pi^2}{8}"),
    ]
    return draw.choice(pairs)


def unicode_text(draw: random.Random, equal: bool) -> tuple[str, str]:
    n = draw.randint(2, 99)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in str(n if equal else n + 1))
    pairs = [
        (str(n), wide),
        (r"\frac12", "½" if equal else "⅓"),
        (rf"x^2+{n}", f"x²+{n if equal else n + 1}"),
        (rf"-{n}", f"\N{MINUS SIGN}{n if equal else n + 1}"),
        (rf"\sqrt{{{n}}}", f"√{n if equal else n + 1}"),
        (r"(0,\infty)", "(0,∞)" if equal else "[0,∞)"),
        ("12", "十二" if equal else "二十"),
        (rf"{n}\pi", f"{n}π" if equal else f"{n + 1}π"),
    ]
    return draw.choice(pairs)


MAKERS: Makers = {
    "numbers": numbers,
    "repeating decimals": repeating,
    "huge powers, factorials": huge,
    "radicals": radicals,
    "polynomials": polynomials,
    "rational functions": rational_functions,
    "trigonometry": trigonometry,
    "logarithms": logarithms,
    "complex numbers": complex_numbers,
    "intervals": intervals,
    "sets, lists, tuples": collections,
    "matrices": matrices,
    "equations": equations,
    "inequalities": inequalities,
    "units, currency": units,
    "thousands": thousands,
    "bases": bases,
    "options": choices,
    "words": words,
    "calculus": calculus,
    "Unicode": unicode_text,
}


def pairs_of(category: str, count: int, seed: int = 0) -> list[Pair]:
    """`count` different pairs of one category, half of them equal."""
    draw = random.Random(f"{category}/{seed}")
    found: dict[tuple[str, str], bool] = {}
    for index in range(20 * count):
        equal = index % 2 == 0
        found.setdefault(MAKERS[category](draw, equal), equal)
        if len(found) == count:
            break
    return [(gold, answer, equal) for (gold, answer), equal in found.items()]
