import type { Operation, Parameter } from '../operation';

const CALL_ID: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The `id` of a call or of an item of the history, or the `andon_id` of /health',
  schema: { type: 'string' },
};

/** Calling for help, answering, and what happened. */
export const andonOperations = {
  pullCord: {
    method: 'post',
    path: '/andon/cord',
    role: 'client',
    tag: 'Andon',
    summary: 'Pull the cord: call for help on a line, or stop it',
    description:
      'Anyone may. A stopped line refuses new signals with LINE_STOPPED. Queued signals are held and keep their ' +
      'attempts and deadlines. A line has one open call: a second pull joins it, and the first reason stays.',
    body: 'CordRequest',
    answers: { 201: { description: 'The call', schema: 'Call' } },
    errors: ['UNKNOWN_SIGNAL_TYPE', 'UNAVAILABLE'],
    examples: [
      `-d '{"signal_type":"execute","mode":"call","reason":"results look wrong","by":"alice"}'`,
      `-d '{"signal_type":"execute","mode":"stop","reason":"wrong results","by":"alice","intake":"hold"}'`,
    ],
  },
  acknowledgeCall: {
    method: 'post',
    path: '/andon/{id}/ack',
    role: 'operator',
    tag: 'Andon',
    summary: 'Say that you look after a call',
    description:
      'The call does not escalate until `eta_ms` is over (30 minutes by default). If the line is not resumed by then, ' +
      'the call is unacknowledged again, and the event `overdue` says so.',
    parameters: [CALL_ID],
    body: 'AcknowledgeRequest',
    answers: { 200: { description: 'The call with its owner', schema: 'Call' } },
    errors: ['NOT_FOUND', 'CALL_CLOSED', 'UNAVAILABLE'],
    examples: [`-d '{"owner":"bob"}'`, `-d '{"owner":"bob","eta_ms":600000}'`],
  },
  resumeLine: {
    method: 'post',
    path: '/andon/{id}/resume',
    role: 'operator',
    tag: 'Andon',
    summary: 'Start the line again and say what was done about it',
    description:
      'Closes the call, and the circuit of the line with it, whatever its pause. A call about the same thing as an ' +
      'earlier one has `last_countermeasure`: resuming it with the same text is refused with SAME_COUNTERMEASURE, ' +
      'because that did not hold. `force: true` resumes all the same, and the history says so.',
    parameters: [CALL_ID],
    body: 'ResumeRequest',
    answers: { 200: { description: 'The call, and what was done about it', schema: 'Call' } },
    errors: ['NOT_FOUND', 'CALL_CLOSED', 'SAME_COUNTERMEASURE', 'UNAVAILABLE'],
    examples: [`-d '{"owner":"bob","countermeasure":"restarted the printer"}'`],
  },
  andonHistory: {
    method: 'get',
    path: '/andon/history',
    role: 'client',
    tag: 'Andon',
    summary: 'Every change of a light, and who did what, newest first',
    query: 'HistoryQuery',
    answers: { 200: { description: 'A page', schema: 'HistoryPage' } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  },
  andonCharts: {
    method: 'get',
    path: '/andon/charts',
    role: 'client',
    tag: 'Andon',
    summary: 'The last hour of each line, in steps of 10 seconds',
    description:
      'Finished and failed signals come from the records, so they survive a restart of andon. How many waited is known ' +
      'from looks at the queue: after a restart it is null for the time before.',
    query: 'ChartsQuery',
    answers: { 200: { description: 'The figures', schema: 'Charts' } },
    errors: ['UNAVAILABLE'],
    examples: [''],
  },
  andonEvents: {
    method: 'get',
    path: '/andon/events',
    role: 'client',
    tag: 'Andon',
    summary: 'Events, live, as server-sent events',
    description:
      '`andon` for every item of the history, with its place as id; `board` with the board every two seconds and ' +
      'after every item. A client that reconnects with `Last-Event-ID` misses nothing.',
    parameters: [
      {
        name: 'Last-Event-ID',
        in: 'header',
        required: false,
        description: 'The last event that was heard; a browser sends it by itself',
        schema: { type: 'string' },
      },
    ],
    query: 'EventsQuery',
    answers: { 200: { description: 'A stream that does not end', text: ['text/event-stream'] } },
    errors: ['UNAVAILABLE'],
    examples: ['-N'],
  },
} satisfies Record<string, Operation>;
