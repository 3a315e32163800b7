/** Whether the Node that runs this may face the open internet (security finding 2). */

/** First releases without CVE-2026-58044, by major line. Newer lines have the fix from their start. */
const fixed: Readonly<Record<number, readonly [minor: number, patch: number]>> = { 22: [23, 2], 24: [18, 1], 26: [5, 1] }

/**
 * Warnings about the runtime, to be logged. With `NODE_ENV=production` an unsafe one throws instead: the gateway guards
 * against that hole itself too, but nobody mends the next one in a line that has ended.
 */
export function checkRuntime(nodeVersion: string, env: NodeJS.ProcessEnv): string[] {
  const [major = 0, minor = 0, patch = 0] = nodeVersion.split('.').map(Number)
  const needed = fixed[major]
  const isSafe = major > 26 || (needed !== undefined && (minor > needed[0] || (minor === needed[0] && patch >= needed[1])))
  if (isSafe) return []

  const message = `Node ${nodeVersion} has a request smuggling hole (CVE-2026-58044); run 22.23.2, 24.18.1, 26.5.1 or later`
  if (env['NODE_ENV'] === 'production') throw new Error(message)
  return [`${message}. With NODE_ENV=production the gateway does not start on it.`]
}
