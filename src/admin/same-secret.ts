/** Secrets that are compared without telling by the time how much of them was right (security K8). */
import { createHash, timingSafeEqual } from 'node:crypto'

/** Whether two secrets are the same, of whatever length. */
export function isSameSecret(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(left), digest(right))
}
