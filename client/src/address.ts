/** Makes `to` a WebSocket's URL. What it does not name, scheme and host, is the page's; without a page the scheme is wss. */
export function address(to: string | URL): URL {
  const page: Location | undefined = globalThis.location;
  const nobody = '.'; // where there is no page: a host that none can have
  const url = new URL(String(to).replace(/^(?!(\w+:)?\/)/, '//'), page?.host ? page.href : `wss://${nobody}`);
  if (url.host === nobody) throw new TypeError('name the host, too');
  url.protocol = url.protocol.replace(/^http/, 'ws');
  url.hash = ''; // no WebSocket may have one
  if (!/^wss?:$/.test(url.protocol)) throw new TypeError('use ws or wss');
  return url;
}
