# Standard input is the event, standard output the answer, standard error the log.
echo "invocation of a command" >&2
tr a-z A-Z
