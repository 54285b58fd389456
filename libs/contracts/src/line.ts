/**
 * An owner of a light, calls and a history: the line of one signal type, or the station of one service. `name` is the
 * type's or the service's.
 */
export interface Line {
  kind: 'type' | 'station';
  name: string;
}

/** No type can be called so: the name of a type has neither a colon nor a slash. */
const STATION = 'station:';
/** Keys of buckets may not contain a colon. */
const STATION_KEY = 'station/';

/** How a line is named in events, calls, subjects and metrics: `<type>` or `station:<service>`. */
export function lineName({ kind, name }: Line): string {
  return kind === 'station' ? STATION + name : name;
}

/** The line of a name that `lineName` made. */
export function parseLine(name: string): Line {
  return parsed(name, STATION);
}

/** The key of a line's record in `tps_stops`: `<type>` or `station/<service>`. */
export function stopKey({ kind, name }: Line): string {
  return kind === 'station' ? STATION_KEY + name : name;
}

/** The line of a key that `stopKey` made. */
export function parseStopKey(key: string): Line {
  return parsed(key, STATION_KEY);
}

function parsed(text: string, prefix: string): Line {
  return text.startsWith(prefix)
    ? { kind: 'station', name: text.slice(prefix.length) }
    : { kind: 'type', name: text };
}
