/** What roomgate tells the page, at settings.json beside it. */
export interface Settings {
  path: string; // of the WebSocket endpoint
  prefix: string; // of a room's channel
  sharded: boolean;
  roomsClaim: string; // dotted paths
  publishClaim: string;
  granted: boolean; // rooms.publish grants rooms that a token does not name
  demo?: {room: string; redis: string; program: string}; // not there: this is no demo
}

export async function fetchSettings(): Promise<Settings> {
  return ask<Settings>('settings.json');
}

/** A fresh token of the demo's. */
export async function fetchToken(): Promise<string> {
  return (await ask<{token: string}>('demo/token')).token;
}

/** Breaks something of the demo. The header says that it is this page that asks. */
export async function simulate<T>(name: string, body: unknown = {}): Promise<T> {
  return ask<T>(`demo/simulate/${name}`, {method: 'POST', headers: {'X-Roomgate-Demo': '1'}, body: JSON.stringify(body)});
}

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const answer = await fetch(path, {cache: 'no-store', ...init});
  const value = await answer.json() as T & {error?: string};
  if (!answer.ok) throw new Error(value.error ?? `${path}: ${answer.status}`);
  return value;
}
