/** What a token says of itself. Nothing here checks a signature: that takes the key, which the gateway has. */
export interface Claims {
  header: Record<string, unknown>;
  payload: Record<string, unknown>;
  sub: string;
  exp: number | undefined; // seconds since 1970
  joins: string[]; // exact names
  may: string[]; // patterns of rooms that may be joined
  publishes: string[]; // names and patterns
}

const alphabet = /^[A-Za-z0-9_.:@=+,~/-]{1,128}$/;

/** Whether name can be a room's. */
export const isRoom = (name: string) => alphabet.test(name);

/** Whether entry is a pattern: room characters with one to eight * or **, never three in a row. */
export function isPattern(entry: string): boolean {
  const stars = entry.match(/\*+/g) ?? [];
  const rest = entry.replace(/\*+/g, '');
  return entry.length <= 128 && stars.length > 0 && stars.length <= 8 && stars.every(run => run.length < 3) && (rest === '' || isRoom(rest));
}

/** Whether room is entry, or fits it: * is one or more characters but no colon, ** one or more of any. */
export function fits(entry: string, room: string): boolean {
  if (!isRoom(room)) return false;
  if (!entry.includes('*')) return entry === room;
  // One step for each character of room and each place in entry, as the gateway does it: a
  // regular expression of eight stars could go back and forth for very long.
  let here = new Set([0]);
  for (const c of room) {
    const next = new Set<number>();
    for (const i of here) {
      const width = entry.startsWith('**', i) ? 2 : entry[i] === '*' ? 1 : 0;
      if (width === 0) {
        if (entry[i] === c) next.add(i + 1);
      } else if (width === 2 || c !== ':') {
        next.add(i);
        next.add(i + width);
      }
    }
    here = next;
  }
  return here.has(entry.length);
}

/** Reads a token. An error says what is wrong with it. */
export function decode(token: string, roomsClaim: string, publishClaim: string): Claims {
  const parts = token.trim().replace(/^Bearer\s+/i, '').split('.');
  if (parts.length !== 3) throw new Error(`a token is three parts with dots between; this has ${parts.length}`);
  const header = part(parts[0]!, 'first'), payload = part(parts[1]!, 'second');
  const rooms = entries(lookup(payload, roomsClaim)), publishes = entries(lookup(payload, publishClaim));
  return {
    header, payload,
    sub: typeof payload.sub === 'string' ? payload.sub : '',
    exp: typeof payload.exp === 'number' ? payload.exp : undefined,
    joins: rooms.filter(isRoom), may: rooms.filter(isPattern),
    publishes: publishes.filter(entry => isRoom(entry) || isPattern(entry)),
  };
}

function part(text: string, which: string): Record<string, unknown> {
  let value: unknown;
  try {
    const bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
    value = JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch {
    throw new Error(`its ${which} part is not JSON in base64url`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`its ${which} part is not a JSON object`);
  return value as Record<string, unknown>;
}

/** The claim at a dotted path; a claim that has the whole path as its name comes first. */
function lookup(claims: Record<string, unknown>, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let at: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

/** A list of strings, or one string with spaces. */
function entries(claim: unknown): string[] {
  const all = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  return [...new Set(all.filter((entry): entry is string => typeof entry === 'string'))];
}
