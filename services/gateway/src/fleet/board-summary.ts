import { type AndonBoard, type Colour, COLOURS } from '@tps/contracts';
import type { BoardSummary } from '../api/schemas';

/** The sentence names at most this many, the list all of them. */
const NAMED = 3;
const REASON_CHARS = 160;

/** Sums up the lines and stations that are not GREEN, RED first. */
export function summaryOf({ colour, lines, stations, at }: AndonBoard): BoardSummary {
  const lights = [
    ...Object.entries(lines).map(([name, light]) => ({ name, light })),
    ...Object.entries(stations).map(([name, light]) => ({ name: `station ${name}`, light })),
  ];
  const rank = (light: { colour: Colour }): number => COLOURS.indexOf(light.colour);
  const wrong = lights
    .filter(({ light }) => light.colour !== 'GREEN')
    .sort((a, b) => rank(b.light) - rank(a.light) || a.name.localeCompare(b.name))
    .map(({ name, light }) => {
      const { colour, rule, reason, since } = light;
      return { name, colour, rule, reason, since };
    });
  const named = wrong.slice(0, NAMED).map(({ name, reason, since }) => {
    const short = reason.length > REASON_CHARS ? `${reason.slice(0, REASON_CHARS)}…` : reason;
    return `${name}: ${short}, since ${clockOf(since, at)}`;
  });
  const more = wrong.length > NAMED ? [`and ${wrong.length - NAMED} more`] : [];
  const summary = [colour, [...named, ...more].join('; ')].filter(Boolean).join(': ');
  return { colour, summary, wrong };
}

/** Writes a moment in UTC, because the fleet and its reader may be in different time zones. */
function clockOf(since: string, now: string): string {
  const [iso, today] = [new Date(since).toISOString(), new Date(now).toISOString()];
  const date = iso.slice(0, 10);
  const time = `${iso.slice(11, 16)} UTC`;
  return date === today.slice(0, 10) ? time : `${date} ${time}`;
}
