import type { AndonCall, LastCountermeasure, RequestOf, ResolvedCall, StopRecord } from '@tps/contracts';

type Topic = Pick<AndonCall, 'rule' | 'reason' | 'fingerprint'>;
type Recurrence = Pick<AndonCall, 'recurrence_of' | 'recurrences' | 'last_countermeasure'>;

/**
 * Names the subject of a call: two calls of a line with the same subject are a recurrence. It is the fingerprint of the
 * failure if there is one, else the rule; for the cord it is the reason that people gave.
 */
export function topicOf({ rule, reason, fingerprint }: Topic): string {
  return fingerprint ?? (rule === 'cord' ? `cord: ${normalised(reason)}` : rule);
}

/** The calls about this topic that people resumed before, and what they did the last time. */
export function recurrenceOf({ resolved }: StopRecord, topic: string): Recurrence {
  const before = resolved.filter((call) => (call.about ?? call.fingerprint) === topic);
  const last = before.at(-1);
  if (!last) return { recurrences: 0 };
  const last_countermeasure = countermeasureOf(last);
  return { recurrence_of: last.id, recurrences: before.length, last_countermeasure };
}

function countermeasureOf({ owner, countermeasure, resumed_at }: ResolvedCall): LastCountermeasure {
  return { owner, text: countermeasure, at: resumed_at };
}

/** The last countermeasure, if somebody wants to resume this call with the same one again. */
export function repeatedCountermeasure(
  call: AndonCall | undefined,
  { countermeasure }: RequestOf<'resume'>,
): LastCountermeasure | null {
  const last = call?.last_countermeasure;
  return last && normalised(last.text) === normalised(countermeasure) ? last : null;
}

/** Upper case and spaces make no other text. */
function normalised(text: string): string {
  return text.trim().replace(/\s+/g, ' ').toLowerCase();
}
