/** Whether the platform says that there is no network. What it does not say (Node, Deno) is taken for a yes to the network. */
export const offline = () => globalThis.navigator?.onLine === false;

/** Calls `then`, until `signal` is aborted, when the network has come or gone, and when the page is back before its user or out of the cache. */
export function onWake(then: () => void, signal: AbortSignal): void {
  const { document } = globalThis; // not in workers
  const listen = (target: EventTarget | undefined, type: string) =>
    target?.addEventListener?.(type, () => { if (type !== 'visibilitychange' || !document.hidden) then(); }, { signal });
  for (const type of ['online', 'offline', 'pageshow']) listen(globalThis as unknown as EventTarget, type);
  for (const type of ['visibilitychange', 'resume']) listen(document, type);
}
