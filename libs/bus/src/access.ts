import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  type TlsOptions,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';

/** The identity of a process at NATS, and how it verifies the broker. Default: anonymous, over plain TCP. */
export interface BusAccess {
  user?: string;
  password?: string;
  /** Seed of a user key. */
  nkey?: string;
  /** Text of a `.creds` file. */
  creds?: string;
  /** The files are read again at each connection, so they may be renewed. With this set, only TLS is accepted. */
  tls?: Pick<TlsOptions, 'caFile' | 'certFile' | 'keyFile'>;
}

type AccessOptions = Pick<ConnectionOptions, 'servers' | 'authenticator' | 'tls' | 'inboxPrefix'>;

const encoder = new TextEncoder();

/**
 * Builds the options of the client for address, identity and TLS.
 *
 * @param url servers, separated by commas; their credentials are read here, because the client ignores them
 * @param owner names the inboxes of users without a name
 */
export function accessOptions(url: string, access: BusAccess, owner: string): AccessOptions {
  const urls = url.split(',').map((server) => new URL(server.trim()));
  const named = urls.find(({ username }) => username);
  const user = access.user ?? (named && decodeURIComponent(named.username));
  const password = access.password ?? (named && decodeURIComponent(named.password));
  const authenticator = authenticatorOf(access, user, password);
  const secure = access.tls ?? (urls.some(({ protocol }) => protocol === 'tls:') ? {} : undefined);
  return {
    servers: urls.map(({ host }) => host),
    // Each user has its own prefix, because a subscriber to a prefix can read every reply below it.
    inboxPrefix: `_INBOX_${(password ? user : undefined)?.replace(/[^\w-]/g, '_') || owner}`,
    ...(authenticator ? { authenticator } : {}),
    ...(secure ? { tls: secure } : {}),
  };
}

function authenticatorOf(
  { creds, nkey }: BusAccess,
  user: string | undefined,
  password: string | undefined,
): Authenticator | undefined {
  if (creds) return credsAuthenticator(encoder.encode(creds));
  if (nkey) return nkeyAuthenticator(encoder.encode(nkey));
  if (!user) return undefined;
  // `nats://token@host`, as in other clients.
  return password ? usernamePasswordAuthenticator(user, password) : tokenAuthenticator(user);
}
