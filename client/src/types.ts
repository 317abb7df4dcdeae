/** What the client is doing. `waiting`: between two attempts. `offline`: until the network is back. `closed`: no more attempts. */
export type State = 'connecting' | 'open' | 'waiting' | 'offline' | 'closed';

export interface Options {
  /**
   * Called before each connect, and when the token in use is about to expire, with a signal that is aborted when the connection ends or is
   * given up. Anything but a JWT is the error `token`. Without this option no token is sent.
   */
  token?: (signal: AbortSignal) => string | Promise<string>;
  /** Rooms to be in from the start, named in the URL. Without them those of the token are joined, on each connection. */
  rooms?: readonly string[];
  /** `json` (the default): `roomgate.v1`. `raw`: `roomgate.raw.v1`, payloads only: no `publish`, no `ping`, no `gap`. */
  format?: 'json' | 'raw';
  /** Closes the client for good when it is aborted. */
  signal?: AbortSignal;
  /** The constructor to use where there is none of that name, such as in Node 20: that of the package `ws`. */
  WebSocket?: SocketConstructor;
  /** ms without a frame after which a ping is sent, less up to a quarter at random. Default 30000. Infinity: never. */
  silence?: number;
}

/** A message of a room. */
export interface Message<T = unknown> {
  /** Absent with `format: 'raw'`, unless the connection is in exactly one room. */
  room?: string;
  /** The payload: parsed if it is JSON, else a string if it is text, else a `Uint8Array`. With `raw` a string or a `Uint8Array`. */
  data: T;
}

/** The first frame of a connection: https://github.com/roomgate/roomgate/blob/main/docs/protocol.md */
export interface Hello {
  v: number;
  conn: string;
  sub: string;
  rooms: string[];
  exp: number;
  ping: number;
}

export interface Closed {
  /** The close code; 1006 if there was none, or if the client gave the connection up. */
  code: number;
  reason: string;
  /** ms until the next attempt; undefined if there will be none. */
  after?: number;
  /** Counts the attempts, until a connection has lasted 10 s. */
  attempt: number;
}

/** Messages may be missing. */
export interface Gap {
  /** Absent: every room. */
  room?: string;
  reason: string;
  /** ms to wait before a refetch, drawn for each client so that they do not all come at once. */
  after: number;
}

export interface Problem {
  /** That of the protocol; or `token`: none could be had; `socket`: no WebSocket could be made; `frame`: not the protocol. */
  code: string;
  message: string;
  ref?: number | string;
  room?: string;
}

export interface Frame {
  direction: 'in' | 'out';
  /** As it passed, but for tokens, which are blanked, and binary frames, of which it tells the size. */
  text: string;
}

/** What a promise of `publish` and `ping` rejects with. */
export interface RoomgateError extends Error {
  /** That of the protocol; `rate_limited` also if 1 MiB waits to be sent; or `closed`: the client is not connected, or was not any more before the answer. */
  code: string;
}

export interface RoomgateEventMap {
  /** Connected. With `raw` there is no hello: null. */
  open: CustomEvent<Hello | null>;
  /** In a room, on this connection: what is published from now on arrives, or a `gap` does. With `raw` nothing tells. */
  join: CustomEvent<{ room: string }>;
  close: CustomEvent<Closed>;
  gap: CustomEvent<Gap>;
  /** What no promise reports. */
  error: CustomEvent<Problem>;
  message: CustomEvent<Message>;
  state: CustomEvent<State>;
  frame: CustomEvent<Frame>;
}

/** What is used of a WebSocket: the platform's, and that of the package `ws`, will do. */
export interface Socket {
  binaryType: any;
  readonly bufferedAmount: number;
  onopen: any;
  onmessage: any;
  onclose: any;
  onerror: any;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string | URL, protocols?: string | string[]) => Socket;
