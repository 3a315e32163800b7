/** Large packages that a gateway is ready without: they are loaded once it listens, before the first request that needs them. */

/**
 * Whoever needs one imports it where it is used, and finds it here; a failure is theirs to tell. Not left to the first of them:
 * the process has files to spare now, and may have none when all its connections are taken.
 */
export function loadLater(): void {
  for (const loading of [import('koa-body'), import('undici')]) loading.catch(() => undefined)
}
