/** What axe finds on a page: nothing, in all tests. */
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/**
 * Fails with each violation and where it stands. The whole page, or a part of it: the frame around it is looked at once a page
 * (console-pages.spec.ts). In legacy mode, which runs in the page alone: the other mode opens an empty page for each look, to
 * put together what frames of other origins say, and the console has no frames. It finds the same in half the time.
 */
export async function expectAccessible(page: Page, within?: string): Promise<void> {
  const builder = new AxeBuilder({ page }).setLegacyMode();
  const { violations } = await (within === undefined ? builder : builder.include(within)).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(" ")).join(", ")}`)).toEqual(
    [],
  );
}
