"""Emacs, with Homeport's language server."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label="Emacs (homeport lsp, by lsp-mode)",
    does=mark("completion as you type, code actions"),
    scopes=frozenset({"complete_code", "duo_chat"}),
    order=44,
    steps=(
        Step(
            "Into init.el, where lsp-mode 9.0.1 or newer is set up; it runs beside a language's own server:",
            """(with-eval-after-load 'lsp-mode
  (require 'lsp-inline-completion)
  (lsp-register-client
   (make-lsp-client
    :new-connection (lsp-stdio-connection '("homeport" "lsp" "--url" "@ADDRESS@"))
    :environment-fn (lambda () '(("HOMEPORT_TOKEN" . "@TOKEN@")))
    :activation-fn (lambda (&rest _) t)
    :add-on? t
    :server-id 'homeport))
  (add-hook 'lsp-mode-hook #'lsp-inline-completion-mode))""",
            "elisp",
        ),
    ),
)
