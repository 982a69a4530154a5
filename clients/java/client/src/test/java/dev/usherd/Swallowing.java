package dev.usherd;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** Stands between a client and a server on loopback, and can swallow what they say while all connections stay open. */
final class Swallowing implements AutoCloseable {

  private final ServerSocket front = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  private final Set<Socket> lost = ConcurrentHashMap.newKeySet();
  private final int behind;
  volatile boolean swallows;

  /** Forwards to "127.0.0.1:PORT". */
  Swallowing(String target) throws IOException {
    behind = Integer.parseInt(target.substring(target.lastIndexOf(':') + 1));
    daemon(this::accept);
  }

  String target() {
    return "127.0.0.1:" + front.getLocalPort();
  }

  /** Those connections that are open now stay open, and silent for good. New ones are served. */
  void lose() {
    lost.addAll(sockets);
  }

  private void accept() {
    try {
      while (true) {
        Socket client = front.accept();
        Socket server = new Socket(InetAddress.getLoopbackAddress(), behind);
        sockets.addAll(List.of(client, server));
        daemon(() -> forward(client, server));
        daemon(() -> forward(server, client));
      }
    } catch (IOException over) {
      // It was closed.
    }
  }

  private void forward(Socket from, Socket to) {
    byte[] bytes = new byte[8192];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      for (int length = in.read(bytes); length >= 0; length = in.read(bytes)) {
        if (!swallows && !lost.contains(from)) {
          out.write(bytes, 0, length);
        }
      }
    } catch (IOException over) {
      // One side has gone.
    }
  }

  private static void daemon(Runnable work) {
    Thread thread = new Thread(work, "swallowing");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() throws IOException {
    front.close();
    for (Socket each : sockets) {
      each.close();
    }
  }
}
