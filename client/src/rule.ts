// When to come back, and what a close code asks of a client: https://github.com/roomgate/roomgate/blob/main/docs/protocol.md#close-codes

export const dialing = 20_000; // ms for token, handshake and hello together
export const proven = 10_000; // ms after which a connection counts as good, and the next backoff begins anew
export const unsure = 5000; // ms between two looks for a network of which nobody may tell: no worker of Chromium hears `online`
export const remembered = 60_000; // ms that a gateway may count a connection of ours whose end it has not seen: until a ping of its own is in vain

/**
 * Whether a connection that ended so would end so again. 40xx say it; and after 1003, 1007 and 1009 it is this program that sends
 * what is not taken. Not 1002 and 1011, which come of a fault between or of the gateway's, nor 1000, 1001 and 1005, with
 * which proxies end what they did not begin: the next attempt may meet another.
 */
export const stops = (code: number) => /^(40..|100[379])$/.test(`${code}`);

/** Whether it was the gateway that said when to come back, and not the network that broke. The code is that of `bye`, if there was one. */
export const asked = (code: number) => /^4[12]..$/.test(`${code}`);

/**
 * How many ms to wait before the next attempt, after `attempt` connections in a row that did not last. Every wait is drawn at
 * random, unless the gateway drew it (`after`). One that lets us in and sends us away again and again is spared,
 * too: from the second time on the wait is at least that of a backoff.
 */
export function wait(code: number, after: number | undefined, attempt: number): number {
  const backoff = Math.random() * Math.min(30_000, 1000 * 2 ** attempt);
  return /^42..$/.test(`${code}`) ? Math.max(after ?? Math.random() * 5000, attempt && backoff) : backoff;
}
