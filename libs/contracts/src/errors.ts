/** Every code an HTTP client can get, its status, and who raises it. The list is closed. */
export const API_ERRORS = {
  INVALID_JSON: { status: 400, retryable: false, meaning: 'The body is not JSON.' },
  INVALID_SIGNAL: {
    status: 400,
    retryable: false,
    meaning: 'The request breaks its schema; every fault is listed.',
  },
  UNKNOWN_SIGNAL_TYPE: {
    status: 400,
    retryable: false,
    meaning: 'No worker ever announced this signal type, or it was retired.',
  },
  INVALID_REQUEST: {
    status: 400,
    retryable: false,
    meaning: 'A header, path or query parameter is out of range.',
  },
  UNAUTHORIZED: { status: 401, retryable: false, meaning: 'The bearer token is missing or wrong.' },
  FORBIDDEN: { status: 403, retryable: false, meaning: 'The token does not allow this operation.' },
  NOT_FOUND: { status: 404, retryable: false, meaning: 'There is no such path or signal.' },
  BEYOND_RECORDS: {
    status: 404,
    retryable: false,
    meaning: 'The id is older than the records reach back: the signal may have existed.',
  },
  UNKNOWN_TYPE: {
    status: 404,
    retryable: false,
    meaning: 'No worker ever announced this signal type, or it was retired.',
  },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, meaning: 'The path does not take this method.' },
  REQUEST_TIMEOUT: { status: 408, retryable: false, meaning: 'The request did not come in time.' },
  IDEMPOTENCY_CONFLICT: {
    status: 409,
    retryable: false,
    meaning: 'The Idempotency-Key was used with another body.',
  },
  ALREADY_STARTED: {
    status: 409,
    retryable: false,
    meaning: 'The signal has started and cannot be cancelled.',
  },
  ALREADY_FINISHED: { status: 409, retryable: false, meaning: 'The signal has a final outcome.' },
  CALL_CLOSED: { status: 409, retryable: false, meaning: 'The call is closed already.' },
  SAME_COUNTERMEASURE: {
    status: 409,
    retryable: false,
    meaning: 'The same countermeasure did not hold the last time. `force: true` resumes all the same.',
  },
  TYPE_HAS_WORK: {
    status: 409,
    retryable: false,
    meaning:
      'Signals of this type wait or are in progress; `waiting`, `in_progress`, `on_backup` and `redrives` say where.',
  },
  TYPE_SERVED: {
    status: 409,
    retryable: false,
    meaning: 'Workers serve this type; `workers` names them.',
  },
  NOT_RETRYABLE: {
    status: 409,
    retryable: false,
    meaning: 'Only a signal that failed or expired, and whose dead letter is still there, is run again.',
  },
  REDRIVES_BUSY: { status: 429, retryable: true, meaning: 'The limit of redrive jobs at once is reached.' },
  PAYLOAD_TOO_LARGE: { status: 413, retryable: false, meaning: 'The body is larger than 256 KiB.' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retryable: false,
    meaning: 'The body is compressed or is not JSON.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    retryable: false,
    meaning: 'The request line and headers are larger than 16 KiB.',
  },
  KANBAN_FULL: {
    status: 429,
    retryable: true,
    meaning: 'The buffer is full of accepted, unfinished signals.',
  },
  RATE_LIMITED: {
    status: 429,
    retryable: true,
    meaning: 'This client sent more than RATE_LIMIT requests a minute.',
  },
  INTERNAL: {
    status: 500,
    retryable: true,
    meaning: 'A fault of the gateway; the log has it under the trace id.',
  },
  CIRCUIT_OPEN: { status: 503, retryable: true, meaning: 'The circuit of this type is open after failures.' },
  LINE_STOPPED: {
    status: 503,
    retryable: true,
    meaning: 'A person, or a repeated defect, stopped this line.',
  },
  NO_BROKER: {
    status: 503,
    retryable: true,
    meaning:
      'Nothing durable could take the signal; `accepted` says whether it may have arrived all the same.',
  },
  UNAVAILABLE: { status: 503, retryable: true, meaning: 'The service that would know does not answer.' },
} as const satisfies Record<string, { status: number; retryable: boolean; meaning: string }>;

/** The `code` of a problem body. */
export type ApiErrorCode = keyof typeof API_ERRORS;
