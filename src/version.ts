/** The version of the package, said by `oathgate version`, `GET /version` and the start-up line. */
import { readFileSync } from 'node:fs'

/** From `package.json`, which lies beside the compiled code as beside the sources. */
export const version: string = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
