import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  type TlsOptions,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';

/** Who a process is at NATS, and how it knows the broker. Without any of it: nobody, over plain TCP. */
export interface BusAccess {
  user?: string;
  password?: string;
  /** Seed of a user key. */
  nkey?: string;
  /** Text of a `.creds` file. */
  creds?: string;
  /** Read again at each connection, so that they may be renewed. Given, a connection without TLS is refused. */
  tls?: Pick<TlsOptions, 'caFile' | 'certFile' | 'keyFile'>;
}

type Dialled = Pick<ConnectionOptions, 'servers' | 'authenticator' | 'tls' | 'inboxPrefix'>;

const encoder = new TextEncoder();

/**
 * The part of the client's options that says where, as whom and how safely to connect.
 * @param url servers, separated by commas; the client ignores credentials in them, so they are taken out here
 * @param owner names the inboxes of users without a name
 */
export function accessOptions(url: string, access: BusAccess, owner: string): Dialled {
  const urls = url.split(',').map((server) => new URL(server.trim()));
  const named = urls.find(({ username }) => username);
  const user = access.user ?? (named && decodeURIComponent(named.username));
  const password = access.password ?? (named && decodeURIComponent(named.password));
  const authenticator = authenticatorOf(access, user, password);
  const secure = access.tls ?? (urls.some(({ protocol }) => protocol === 'tls:') ? {} : undefined);
  return {
    servers: urls.map(({ host }) => host),
    // Who may subscribe to an inbox prefix reads all answers under it: each user has one of its own.
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
  // `nats://token@host`, as other clients read it.
  return password ? usernamePasswordAuthenticator(user, password) : tokenAuthenticator(user);
}
