// What a close code tells a client, and what it does then: docs/protocol.md, Close codes.
const meanings: Record<number, string> = {
  1000: 'closed', 1001: 'going away', 1006: 'the link broke, without a goodbye', 1009: 'too large', 1011: 'an error of the gateway’s own',
  4000: 'bad request', 4001: 'token missing', 4002: 'token invalid', 4003: 'room not allowed', 4005: 'disconnected by the backend',
  4006: 'too many connections of this user', 4008: 'no auth message in time',
  4101: 'message rate exceeded', 4102: 'slow consumer: messages were not read in time', 4103: 'node full', 4104: 'Redis unavailable',
  4201: 'draining', 4202: 'token expired', 4203: 'maximum age', 4204: 'no pong', 4205: 'gap',
};

/** A close code in words; the reason that came with it says more. */
export function meaning(code: number, reason: string): string {
  return `${code}: ${reason || meanings[code] || 'closed'}`;
}

/** What the client does next: after is in milliseconds, or undefined if it stops. */
export function consequence(code: number, after: number | undefined): string {
  if (after === undefined) return 'It stays closed: to come again would change nothing.';
  const wait = `again in ${seconds(after)}`;
  if (code >= 4200 && code < 4300) return `A new connection is asked for: ${wait}, spread so that not all clients come at once.`;
  return `Backing off: ${wait}, drawn from a window that doubles each time.`;
}

export function seconds(milliseconds: number): string {
  return milliseconds < 10_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${Math.round(milliseconds / 1000)} s`;
}
