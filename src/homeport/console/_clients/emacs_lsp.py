"""Emacs, with Homeport's language server."""

from homeport.console._clients import Client, Step
from homeport.console._texts import mark

CLIENT = Client(
    label=mark("Emacs (homeport lsp, by lsp-mode)"),
    does=mark("completion as you type, code actions"),
    scopes=frozenset({"complete_code", "duo_chat"}),
    order=44,
    steps=(
        Step(
            "Into init.el, where lsp-mode is set up; it runs beside others, and suggests inline from 9.0.1 on:",
            """(with-eval-after-load 'lsp-mode
  (lsp-register-client
   (make-lsp-client
    :new-connection (lsp-stdio-connection '("homeport" "lsp" "--url" "@ADDRESS@"))
    :environment-fn (lambda () '(("HOMEPORT_TOKEN" . "@TOKEN@")))
    :activation-fn (lambda (&rest _) t)
    :add-on? t
    :server-id 'homeport))
  (when (require 'lsp-inline-completion nil t)
    (add-hook 'lsp-mode-hook #'lsp-inline-completion-mode)))""",
            "elisp",
        ),
    ),
)
