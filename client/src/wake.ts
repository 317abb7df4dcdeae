/** Whether the platform says that there is no network. What it does not say (Node, Deno) is taken for a yes to the network. */
export const offline = () => globalThis.navigator?.onLine === false;

/**
 * Calls `then`, until `signal` is aborted, when the network has come or gone, and when the page is back before its user or out of the cache. What
 * happens at the document passes the window before (`capture`); workers hear of the network only, and Node of nothing.
 */
export function onWake(then: () => void, signal: AbortSignal): void {
  for (const type of ['online', 'offline', 'pageshow', 'resume', 'visibilitychange']) {
    globalThis.addEventListener?.(type, () => { if (type[0] !== 'v' || !document.hidden) then(); }, { capture: true, signal });
  }
}
