"""The birthday morning as an SVG: requests asked and answered, and the pods, gateways and nodes that answer them."""

from .simulation import Second

WIDTH, HEIGHT, GAP, LEFT, TOP = 400, 150, 70, 60, 40
COLOURS = {"asked": "#8a94a0", "answered": "#b3361e", "pods": "#b3361e", "gateways": "#2f6f9f", "nodes": "#3d3d3d"}
DASHED = ' stroke-dasharray="6 4"'  # or it would hide the pods


def picture(mornings: dict[str, list[Second]]) -> str:
    parts = []
    most = max(second.offered for seconds in mornings.values() for second in seconds)
    for column, (title, seconds) in enumerate(mornings.items()):
        left = LEFT + column * (WIDTH + GAP)
        parts.append(f'<text x="{left}" y="18" font-size="14">{title}</text>')
        rates = {"asked": [s.offered for s in seconds], "answered": [s.answered for s in seconds]}
        counts = {"pods": [s.pods for s in seconds], "gateways": [s.gateways for s in seconds], "nodes": [s.nodes for s in seconds]}
        parts += panel(left, TOP, "requests/s", rates, most)
        parts += panel(left, TOP + HEIGHT + 60, "", counts, 15)
    width, height = LEFT + len(mornings) * (WIDTH + GAP), TOP + 2 * HEIGHT + 100
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" font-size="11">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>\n"])


def panel(left: int, top: int, unit: str, curves: dict[str, list[float]], most: float) -> list[str]:
    bottom = top + HEIGHT
    parts = [f'<path d="M{left} {top}V{bottom}H{left + WIDTH}" stroke="#999" fill="none"/>']
    step = 5000 if most > 100 else 3
    for value in range(0, int(most) + 1, step):
        y = bottom - HEIGHT * value / most
        parts.append(f'<text x="{left - 5}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>')
    for number, (name, values) in enumerate(curves.items()):
        length = len(values)
        # One point every half minute is enough.
        points = " ".join(f"{left + WIDTH * at / length:.1f},{bottom - HEIGHT * values[at] / most:.1f}" for at in range(0, length, 30))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.5"{DASHED if name == "nodes" else ""}/>')
        parts.append(f'<text x="{left + 8 + 110 * number}" y="{top - 4}" fill="{COLOURS[name]}">{name}{" " + unit if unit and not number else ""}</text>')
    for minute in range(0, 66, 10):
        parts.append(f'<text x="{left + WIDTH * minute * 60 / length:.1f}" y="{bottom + 14}" text-anchor="middle">{minute}</text>')
    parts.append(f'<text x="{left + WIDTH}" y="{bottom + 28}" text-anchor="end">minutes</text>')
    return parts
