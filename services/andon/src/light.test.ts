import type { Colour } from '@tps/contracts';
import type { Assessment } from './assessment';
import { nextLight, isSameCause, isRecorded, type Light, type RecordedLight } from './light';

const light = (colour: Colour): Light => ({ colour, rule: 'old', reason: 'old', sinceMs: 1, better: 0 });
const run = (start: Light, ...colours: Colour[]): Light =>
  colours.reduce<Light>(
    (now, colour, i) => nextLight(now, { colour, rule: 'new', reason: `${i}` }, 10 + i),
    start,
  );

test('it gets worse at once', () => {
  expect(run(light('GREEN'), 'RED')).toEqual({
    colour: 'RED',
    rule: 'new',
    reason: '0',
    sinceMs: 10,
    better: 0,
  });
});

test('it gets better only when two evaluations in a row say so', () => {
  expect(run(light('RED'), 'GREEN')).toMatchObject({ colour: 'RED', rule: 'old', sinceMs: 1 });
  expect(run(light('RED'), 'GREEN', 'RED', 'GREEN').colour).toBe('RED');
  expect(run(light('RED'), 'GREEN', 'GREEN')).toMatchObject({ colour: 'GREEN', sinceMs: 11 });
  expect(run(light('RED'), 'GREEN', 'YELLOW')).toMatchObject({ colour: 'YELLOW', sinceMs: 11 });
});

test('a colour that a figure gave is left after ten seconds, one that a state gave after two looks', () => {
  const looks = (start: Light): number => {
    let shown = start;
    let second = 0;
    while (shown.colour === 'RED') {
      second += 1;
      shown = nextLight(shown, { colour: 'GREEN', rule: 'within_limits', reason: 'fine' }, second * 1_000);
    }
    return second;
  };
  expect(looks(light('RED'))).toBe(2);
  expect(looks({ ...light('RED'), figure: true })).toBe(11);
});

test('an unchanged colour keeps its time and tells the latest reason', () => {
  expect(run(light('RED'), 'RED', 'RED')).toMatchObject({
    colour: 'RED',
    rule: 'new',
    reason: '1',
    sinceMs: 1,
  });
});

/** The history of one line with an evaluation every second. */
class Story {
  readonly events: Light[] = [];
  light = light('GREEN');
  private recorded: RecordedLight = { colour: 'GREEN', rule: 'within_limits' };
  private nowMs = 0;

  see(assessment: Assessment, times = 1): void {
    for (let i = 0; i < times; i += 1) {
      this.nowMs += 1_000;
      const next = nextLight(this.light, assessment, this.nowMs);
      const isNew = next.colour !== this.light.colour || !isSameCause(this.light, next);
      this.light = next;
      if (!isNew || isRecorded(this.recorded, next)) continue;
      const { colour, rule, about, circuit } = next;
      this.recorded = { colour, rule, ...(about ? { about } : {}), ...(circuit ? { circuit } : {}) };
      this.events.push(next);
    }
  }

  rules(): unknown[] {
    return this.events.map(({ colour, rule, circuit }) => [colour, rule, circuit]);
  }
}
const p99 = (colour: Colour, ms: number): Assessment => ({
  colour,
  rule: 'p99',
  place: 9,
  reason: `${ms} ms`,
});
const errors = (colour: Colour): Assessment => ({ colour, rule: 'error_rate', place: 8, reason: '2 of 100' });
const open = (until: string): Assessment => ({
  ...{ colour: 'RED', rule: 'circuit', place: 1, kind: 'circuit', reason: 'no link', circuit: until },
});

test('a line RED by p99 whose circuit opens, fails two trials and closes: each step is recorded', () => {
  const story = new Story();
  story.see(p99('RED', 612), 30);
  story.see(open('t1'), 30);
  // The circuit is half-open: the clock alone moves the rule, which says nothing new.
  story.see({ ...p99('RED', 640), circuit: 't1' }, 3);
  story.see(open('t2'), 30);
  story.see(open('t3'), 30);
  story.see(p99('RED', 630), 30);
  expect(story.rules()).toEqual([
    ['RED', 'p99', undefined],
    ['RED', 'circuit', 't1'],
    ['RED', 'circuit', 't2'],
    ['RED', 'circuit', 't3'],
    ['RED', 'p99', undefined],
  ]);
});

test('figures alone are recorded to nobody: an hour of the same rule is one event', () => {
  const story = new Story();
  for (let second = 0; second < 3_600; second += 1) story.see(p99('RED', 600 + second));
  expect(story.rules()).toEqual([['RED', 'p99', undefined]]);
  expect(story.light).toMatchObject({ reason: '4199 ms', sinceMs: 1_000 });
});

test('two rules that take turns behind one colour are one change, because the later one is not believed at once', () => {
  const story = new Story();
  for (let second = 0; second < 600; second += 1) {
    story.see(second % 3 === 0 ? errors('YELLOW') : p99('YELLOW', 200));
  }
  expect(story.events).toHaveLength(1);
  story.see(p99('YELLOW', 200), 10);
  expect(story.rules().at(-1)).toEqual(['YELLOW', 'p99', undefined]);
  expect(story.events).toHaveLength(2);
});

test('a rule that is about something else is recorded; the same one in other words is not', () => {
  const story = new Story();
  const fails = (about: string): Assessment => ({
    ...{ colour: 'YELLOW', rule: 'dependency', place: 6, about, reason: `${about} fails` },
  });
  story.see(fails('a'), 20);
  story.see(fails('a, b'), 20);
  expect(story.events.map(({ about }) => about)).toEqual(['a', 'a, b']);
});

test('a call tells its own events, so its light adds none', () => {
  const call: Light = { ...light('RED'), rule: 'cord', kind: 'call' };
  expect(isRecorded({ colour: 'RED', rule: 'p99' }, call)).toBe(true);
  expect(isRecorded({ colour: 'YELLOW', rule: 'p99' }, call)).toBe(false);
  expect(isRecorded({ colour: 'RED', rule: 'p99', circuit: 't1' }, call)).toBe(false);
});
