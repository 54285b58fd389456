import { type TSchema } from '@sinclair/typebox';
import { AdmitVerdict, EnqueueVerdict } from './admission';
import { AndonCall, AndonEvent } from './andon';
import { Heartbeat, VITALS } from './heartbeat';
import { BOARDS } from './boards/index';
import { BUCKETS } from './buckets';
import { DeadLetter, UnreadableDeadLetter, DeadLetterFilter, DeadLetterSummary } from './dead-letters';
import { TypeCards } from './limits';
import { KaizenSnapshot } from './kaizen-snapshot';
import { Outcome } from './outcome';
import { FoundSignal } from './records';
import { RedriveJob } from './redrive-jobs';
import { REQUESTS } from './requests';
import { ArrivalsMessage, ScheduleRecord } from './schedule';
import { Signal } from './signal';

/*
 * Every shape on the wire and in storage, as text. A change of one is a diff of the snapshot, to be looked at in review:
 * an optional field may come; a field that goes, becomes required or changes its type breaks readers of the other
 * version. `npx jest libs/contracts/src/shapes -u` writes the snapshot anew.
 */

interface JsonSchema {
  type?: string;
  const?: unknown;
  enum?: string[];
  format?: string;
  pattern?: string;
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  patternProperties?: Record<string, JsonSchema>;
}

/** Shapes that others are made of: there they are named, and shown once, where they are defined. */
const NAMED = {
  ...{
    Signal,
    Outcome,
    AndonCall,
    AndonEvent,
    DeadLetterSummary,
    DeadLetterFilter,
    FoundSignal,
    RedriveJob,
    TypeCards,
  },
  ...{ AdmitVerdict, EnqueueVerdict, ScheduleRecord },
};
const nameOf = new Map(Object.entries(NAMED).map(([name, schema]) => [JSON.stringify(schema), name]));

function shapeOf(schema: JsonSchema): unknown {
  return nameOf.get(JSON.stringify(schema)) ?? wholeShapeOf(schema);
}

function wholeShapeOf(schema: JsonSchema): unknown {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.anyOf) {
    const alternatives = schema.anyOf.map(shapeOf);
    const areWords = alternatives.every((one) => typeof one === 'string');
    return areWords ? alternatives.join(' | ') : { oneOf: alternatives };
  }
  if (schema.items) return [shapeOf(schema.items)];
  const [values] = Object.values(schema.patternProperties ?? {});
  if (values) return { '*': shapeOf(values) };
  if (!schema.properties) return [schema.type ?? 'anything', schema.format].filter(Boolean).join(' ');
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties).map(([name, field]) => {
    return [required.has(name) ? name : `${name}?`, shapeOf(field)] as const;
  });
  return fields.length > 0 ? Object.fromEntries(fields) : 'object';
}

const shapes = (schemas: Record<string, TSchema>): object =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, shapeOf(schema as JsonSchema)]));

test.each(Object.entries(REQUESTS))('the request %s', (_name, { request, reply }) => {
  expect(shapes({ request, reply })).toMatchSnapshot();
});
test.each(Object.entries(BUCKETS))('the bucket %s', (name, schema) => {
  expect(shapes({ [name]: schema })).toMatchSnapshot();
});
test.each(Object.entries(BOARDS))('the board of %s', (name, schema) => {
  expect(shapes({ [name]: schema })).toMatchSnapshot();
});
test.each(Object.entries(NAMED))('%s', (_name, schema) => {
  expect(wholeShapeOf(schema as JsonSchema)).toMatchSnapshot();
});
test('dead letters', () => {
  expect(shapes({ DeadLetter, UnreadableDeadLetter })).toMatchSnapshot();
});
test('the messages that services publish', () => {
  const vitals = Object.entries(VITALS).map(([service, { shape }]) => [service, shape] as const);
  expect(shapes({ Heartbeat, ArrivalsMessage, ...Object.fromEntries(vitals) })).toMatchSnapshot();
});
test('the snapshots of projections', () => {
  expect(shapes({ KaizenSnapshot })).toMatchSnapshot();
});
