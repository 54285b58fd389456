interface Row {
  what: string;
  measured: string;
  promise: string;
  isKept: boolean;
}

/** The figures of a run, and the promises that they keep or break. */
export class Promises {
  private readonly rows: Row[] = [];

  /** Adds a figure that nobody promised. */
  note(what: string, measured: string): void {
    this.rows.push({ what, measured, promise: '', isKept: true });
  }

  expect(what: string, measured: string, promise: string, isKept: boolean): void {
    this.rows.push({ what, measured, promise, isKept });
  }

  /** Adds a figure that must stay below a limit. */
  below(what: string, value: number, limit: number, unit: string): void {
    this.expect(what, `${value.toFixed(1)} ${unit}`, `< ${limit} ${unit}`, value < limit);
  }

  /** Adds a number that must be met exactly. */
  exactly(what: string, count: number, wanted: number): void {
    this.expect(what, String(count), String(wanted), count === wanted);
  }

  /** The number of broken promises. */
  get broken(): number {
    return this.rows.filter(({ isKept }) => !isKept).length;
  }

  table(): string {
    const head = { what: '', measured: 'measured', promise: 'promised', isKept: true };
    const all = [head, ...this.rows];
    const [first, second] = [widest(all.map(({ what }) => what)), widest(all.map((row) => row.measured))];
    const line = ({ what, measured, promise, isKept }: Row): string =>
      `${what.padEnd(first)}  ${measured.padStart(second)}  ${promise}${isKept ? '' : '  BROKEN'}`.trimEnd();
    return all.map(line).join('\n');
  }
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}
