/** A TCP proxy before a server, behind which that server answers late or not at all. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

export interface SlowProxy {
  readonly port: number
  /**
   * From now on what the server says arrives so many milliseconds later, what is under way included. Resolves to the milliseconds
   * by which the proxy itself was late before, at most: the machine had no time for it then.
   */
  delay(ms: number): Promise<number>
  /** From now on nothing arrives, in either direction, though no connection is refused or closed; `delay` lets it all go on, as TCP would. */
  hold(): Promise<number>
}

/** How slow to be; absent: hold everything. */
export interface ToProxy { readonly delayMs?: number }
export interface FromProxy { readonly port: number, readonly latestMs: number }

/** Starts one before 127.0.0.1:`port`, in a process of its own. */
export async function startSlowProxy(t: Test, port: number): Promise<SlowProxy> {
  const child = fork(fileURLToPath(new URL('slow-proxy-main.ts', import.meta.url)), [String(port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(async () => {
    if (child.connected) child.disconnect()
    if (child.exitCode === null) await once(child, 'exit')
  })
  const hear = async (): Promise<FromProxy> => (await once(child, 'message') as [FromProxy])[0]
  const order = async (how: ToProxy): Promise<number> => {
    const answer = hear()
    child.send(how)
    return (await answer).latestMs
  }
  const started = await hear()
  return { port: started.port, delay: delayMs => order({ delayMs }), hold: () => order({}) }
}
