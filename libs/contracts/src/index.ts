export {
  type AdmitRefusal,
  AdmitRequest,
  AdmitVerdict,
  ALL_FINE,
  type EnqueueRefusal,
  EnqueueVerdict,
} from './admission';
export {
  AndonCall,
  AndonEvent,
  type AndonEventKind,
  Colour,
  COLOURS,
  DEFAULT_ETA_MS,
  type LastCountermeasure,
  parseAndonEvent,
  type ResolvedCall,
  Stop,
  StopRecord,
} from './andon';
export {
  type AndonVitals,
  type BlockedLoop,
  Heartbeat,
  type BackupDrainerVitals,
  type GatewayVitals,
  HEARTBEAT_MS,
  type KanbanVitals,
  type LostState,
  type MissingProcess,
  parseHeartbeat,
  type WaitingSignals,
  type WorkerVitals,
} from './heartbeat';
export { KaizenSnapshot, type LossesRecord, parseKaizenSnapshot, type TotalsRecord } from './kaizen-snapshot';
export {
  AndonBoard,
  type BackupStatus,
  type BoardOf,
  BOARDS,
  DurationFigures,
  HeijunkaBoard,
  JidokaBoard,
  KaizenBoard,
  KanbanBoard,
  type LaneStatus,
  type LineStatus,
  type OpenCall,
  type Replica,
  SignalCounts,
  type StationStatus,
  type Suggestion,
} from './boards/index';
export { type BucketName, parseRecord, type RecordOf } from './buckets';
export {
  CircuitRecord,
  circuitState,
  CircuitState,
  pausedMs,
  isOpen,
  isStopped,
  lineState,
  stoppedSince,
  trialFromMs,
  worstState,
} from './circuit';
export {
  DeadLetter,
  UnreadableDeadLetter,
  unreadableDeadLetter,
  type DeadMessage,
  DEAD_LETTER_HEADERS,
  DeadLetterFilter,
  deadLetterHeaders,
  DEAD_LETTERS_MAX_IDS,
  DEAD_LETTERS_MAX_LIMIT,
  type DeadLetterStatus,
  DeadLetterView,
  parseDeadMessage,
} from './dead-letters';
export { API_ERRORS, type ApiErrorCode } from './errors';
export { amended, count, cursor, list, mapOf, ms, nullable, oneOf, percent, text, time } from './fields';
export {
  BOARD_SERVICES,
  type BoardService,
  FLEET,
  recordOf,
  type ServiceName,
  SERVICES,
  SPANS,
  telemetryName,
} from './fleet';
export { type Fault, jsonPointer, MAX_FAULTS, type ParsedJson, parseJson, textFaults } from './json';
export { type Lane, laneName, parseLane } from './lane';
export {
  type Cards,
  cardsLease,
  CardsRecord,
  LeasesRecord,
  MAX_CARDS,
  MAX_RATE_PER_S,
  rateKey,
  rateLease,
  RateRecord,
  TypeCards,
  typeOfRateKey,
} from './limits';
export { type Line, lineName, parseLine, parseStopKey, stopKey } from './line';
export { CHART, type LineChart } from './line-charts';
export { stateOfLine } from './line-state';
export { type Names, namesFor } from './names';
export {
  attemptIn,
  checkOutcome,
  ERROR_CLASSES,
  ErrorClass,
  FINAL_STATUSES,
  finalOutcome,
  type FinalStatus,
  HANDED_BACK,
  isFinal,
  lateEnd,
  Outcome,
  type OutcomeStatus,
  readReplies,
  vanishedEnd,
} from './outcome';
export { outcomeBase } from './outcome-base';
export { isOfLaterVersion, jsonOf, type Message, MessageError } from './parse';
export { LEASE_MS } from './queue';
export {
  FoundSignal,
  LOOKUP_MAX_IDS,
  LOOKUP_MAX_WAIT_MS,
  OPEN_STATUSES,
  OpenSignal,
  type OpenStatus,
  type Reach,
  SignalRecord,
  SIGNALS_MAX_LIMIT,
} from './records';
export { RedriveJob, RedriveDryRun, RedriveProgress, RedriveStop } from './redrive-jobs';
export { REPORT_FORMATS, type ReportFormat, type SuggestionRule } from './report';
export {
  type BatchName,
  type ErrorReply,
  parseBoard,
  parseReply,
  parseRequest,
  type ReplyOf,
  type RequestName,
  type RequestOf,
  REQUESTS,
  ServiceError,
  type SingleName,
} from './requests';
export {
  type BackupHoldings,
  isKnownType,
  RetiredType,
  retirementText,
  type RetireRefusal,
} from './retirement';
export {
  ASYNC_RETRY_DEFAULTS,
  backoffMs,
  MAX_TIMER_MS,
  RETRY_DEFAULTS,
  RETRY_LIMITS,
  RetryPolicy,
} from './retry-policy';
export { ArrivalsMessage, CLASS_WEIGHTS, parseArrivals, SCHEDULE_KEY, ScheduleRecord } from './schedule';
export {
  BACKUP_APP_ID,
  DEFAULT_TIMEOUT_MS,
  MAX_ASYNC_TIMEOUT_MS,
  IDEMPOTENCY_KEY_PATTERN,
  MAX_BODY_BYTES,
  MAX_SYNC_TIMEOUT_MS,
  PRIORITIES,
  Priority,
  Signal,
  type RunKey,
  runKey,
  SIGNAL_TYPE_PATTERN,
  signalType,
  SUSPECT_HEADER,
} from './signal';
export { decodeSignal, encodeSignal } from './signal-codec';
export { maxWaitMs, Retirement, TypeRecord } from './signal-type';
export { METRICS, type SpanAttribute, type SpanAttributes } from './telemetry';
export { encodeMessage, WIRE_VERSION } from './version';
