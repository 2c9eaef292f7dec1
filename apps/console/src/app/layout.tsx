import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { Shell } from "../components/shell.tsx";
import { Providers } from "../state/providers.tsx";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "Overview · Ringlight", template: "%s · Ringlight" },
  description: "A distributed read cache that explains itself",
};

export const viewport: Viewport = {
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#f7f8fa" },
    { media: "(prefers-color-scheme: dark)", color: "#0a0c10" },
  ],
};

/** Sets the chosen scheme before the first paint. */
const THEME_SCRIPT = `try{var t=localStorage.getItem("ringlight.theme");if(t==="light"||t==="dark")document.documentElement.dataset.theme=t}catch(e){}`;

/** The frame of every page. */
export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        {/* biome-ignore lint/security/noDangerouslySetInnerHtml: a constant of this file */}
        <script dangerouslySetInnerHTML={{ __html: THEME_SCRIPT }} />
      </head>
      <body>
        <Providers>
          <Shell>{children}</Shell>
        </Providers>
      </body>
    </html>
  );
}
