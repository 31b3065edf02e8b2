import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs main classes of Kafka one after another in one process, because a process for each
 * of them would spend a second or two on its start. A line of JSON on stdin is one call:
 * {"main": class, "args": [...], "stdin": text}; its answer is a line of JSON on stdout:
 * {"status": n, "out": text, "err": text}.
 */
public class Tools {
    /** What a call prints goes where the call in progress has it. */
    static final class Switch extends OutputStream {
        private ByteArrayOutputStream to = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int b) {
            if (to != null) {
                to.write(b);
            }
        }

        @Override
        public synchronized void write(byte[] b, int from, int length) {
            if (to != null) {
                to.write(b, from, length);
            }
        }

        synchronized void begin() {
            to = new ByteArrayOutputStream();
        }

        /** Ends the call's output; what is printed from now on is lost, as after a process's end. */
        synchronized String end() {
            String text = to == null ? "" : to.toString(StandardCharsets.UTF_8);
            to = null;
            return text;
        }
    }

    /** Unwinds a main that has asked for the end of its process. */
    static final class Exited extends Error {
        Exited() {
            super("exit", null, false, false);
        }
    }

    /** The call in progress: how it ended, and what it wants done at its end. */
    static final class Call {
        private final List<Runnable> hooks = new ArrayList<>();
        private Integer status;
        private String out;
        private String err;

        /** The first end counts: a main may catch what unwinds it, and end again. */
        synchronized void end(int code) {
            if (status != null) {
                return;
            }
            status = code;
            for (Runnable hook : hooks) {
                hook.run();
            }
            out = OUT.end();
            err = ERR.end();
        }
    }

    static final Switch OUT = new Switch();
    static final Switch ERR = new Switch();
    static volatile Call call = new Call();

    public static void main(String[] ignored) throws Exception {
        BufferedReader calls = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = System.out;
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> exit(status, message));
        Exit.setHaltProcedure((status, message) -> exit(status, message));
        Exit.setShutdownHookAdder((name, hook) -> call.hooks.add(hook));
        ObjectMapper json = new ObjectMapper();
        for (String line; (line = calls.readLine()) != null; ) {
            answers.write((answer(json, json.readTree(line)) + "\n").getBytes(StandardCharsets.UTF_8));
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    static void exit(int status, String message) {
        if (message != null) {
            System.err.println(message);
        }
        call.end(status);
        throw new Exited();
    }

    static String answer(ObjectMapper json, JsonNode question) throws Exception {
        List<String> args = new ArrayList<>();
        question.path("args").forEach(a -> args.add(a.asText()));
        InputStream stdin = new ByteArrayInputStream(question.path("stdin").asText().getBytes(StandardCharsets.UTF_8));
        System.setIn(stdin);
        OUT.begin();
        ERR.begin();
        Call mine = new Call();
        call = mine;
        run(mine, question.path("main").asText(), args.toArray(new String[0]));
        ObjectNode answer = json.createObjectNode();
        answer.put("status", mine.status).put("out", mine.out).put("err", mine.err);
        return json.writeValueAsString(answer);
    }

    /** Runs a main as a thread of its own, since some leave their thread interrupted. */
    static void run(Call mine, String main, String[] args) throws InterruptedException {
        Thread thread = new Thread(() -> {
            try {
                Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
                mine.end(0);
            } catch (InvocationTargetException e) {
                if (!(e.getCause() instanceof Exited)) {
                    e.getCause().printStackTrace();
                }
                mine.end(1);
            } catch (Throwable e) {
                e.printStackTrace();
                mine.end(1);
            }
        }, "main");
        thread.start();
        thread.join();
    }
}
