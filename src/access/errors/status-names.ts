/** Names of failures as `when.error` lists them: the words of the status line, `internal_server_error` (contract 2.5.5). */
import { STATUS_CODES } from 'node:http'

/** `im_a_teapot` for 418. */
export function statusName(status: number): string {
  return (STATUS_CODES[status] ?? '').toLowerCase().replaceAll('\'', '').replace(/[ -]/g, '_')
}

/** All names that a failure can have. */
export const statusNames: readonly string[] = Object.keys(STATUS_CODES).map(Number).filter(status => status >= 400).map(statusName)
