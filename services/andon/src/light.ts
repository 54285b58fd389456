import type { AndonEvent } from '@tps/contracts';
import { rank, type Assessment } from './assessment';

/** A light that is on: its colour, its rule, and the moment from which it has the colour. */
export interface Light extends Assessment {
  sinceMs: number;
  /** Consecutive evaluations that found it better than it shows, and the time of the first. */
  better: number;
  betterSinceMs?: number;
  /** Consecutive evaluations that found a later rule behind the same colour. */
  later?: number;
}

/** Evaluations in a row that must find a better colour before the light shows it. */
const HOLD = 2;
/** A colour that a figure gave is left after so long below 80 % of its threshold. */
const HOLD_FIGURE_MS = 10_000;
/** The same for a later rule behind the same colour: about 10 s. */
const HOLD_RULE = 10;

/**
 * The next light. It gets worse at once, and better only when that lasts. The reason of an unchanged rule is kept up to
 * date.
 */
export function nextLight(light: Light, assessment: Assessment, nowMs: number): Light {
  const change = rank(assessment.colour) - rank(light.colour);
  if (change < 0) {
    const better = light.better + 1;
    const betterSinceMs = light.better === 0 ? nowMs : (light.betterSinceMs ?? nowMs);
    const isLasting = light.figure ? nowMs - betterSinceMs >= HOLD_FIGURE_MS : better >= HOLD;
    if (!isLasting) return { ...light, better, betterSinceMs };
  }
  if (change !== 0) return { ...assessment, sinceMs: nowMs, better: 0 };
  const same = { sinceMs: light.sinceMs, better: 0 };
  if (isSameCause(light, assessment) || !isHeld(light, assessment)) return { ...assessment, ...same };
  const later = (light.later ?? 0) + 1;
  if (later >= HOLD_RULE) return { ...assessment, ...same };
  // The figures of the same rule go on meanwhile.
  return assessment.rule === light.rule
    ? { ...light, ...same, later, reason: assessment.reason }
    : { ...light, ...same, later };
}

/** Whether the light shows the same thing, apart from figures. */
export function isSameCause(light: Assessment, assessment: Assessment): boolean {
  return (
    light.rule === assessment.rule && light.about === assessment.about && light.circuit === assessment.circuit
  );
}

function isHeld(light: Light, assessment: Assessment): boolean {
  if (light.kind !== undefined || assessment.kind !== undefined || light.circuit !== assessment.circuit)
    return false;
  // Unknown after a restart, until the first evaluation.
  return light.place !== undefined && assessment.place !== undefined && assessment.place >= light.place;
}

/** The light of a line as the history has it. */
export interface RecordedLight extends Pick<AndonEvent, 'colour' | 'about' | 'circuit'> {
  /** The rule of the latest change; a call may have changed the colour since. */
  rule: string;
}

/** Whether the history has this light already: an event that differs only in its figures is not worth writing. */
export function isRecorded(recorded: RecordedLight, light: Light): boolean {
  if (recorded.colour !== light.colour || recorded.circuit !== light.circuit) return false;
  // A call tells its own events. A half-open circuit follows from the end of the pause that the history has.
  if (light.colour === 'GREEN' || light.kind === 'call') return true;
  if (light.circuit !== undefined && recorded.rule === 'circuit') return true;
  return recorded.rule === light.rule && recorded.about === light.about;
}
